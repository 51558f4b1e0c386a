package kafka_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// A group that has forgotten a member answers its next JoinGroup with
// UNKNOWN_MEMBER_ID, after which the client joins under another name without a
// word. What it had must count as lost then: others may have had it.
func TestForgottenMemberBeginsAnew(t *testing.T) {
	t.Parallel()
	fake, _, c := wiredIn(t, 2, 2000)
	var rebalance, forget atomic.Bool
	fake.ControlKey(kmsg.Heartbeat.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if !rebalance.CompareAndSwap(true, false) {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.RebalanceInProgress.Code
		return resp, nil, true
	})
	fake.ControlKey(kmsg.JoinGroup.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if r.(*kmsg.JoinGroupRequest).MemberID == "" || !forget.CompareAndSwap(true, false) {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})

	told := &notes{}
	var written atomic.Int64
	m := stay{
		SourceOptions: kafka.SourceOptions{Options: c, SessionTimeout: 6 * time.Second, Note: told.Note}, output: output(t),
		wrap: func(s pipeline.Sink) pipeline.Sink { return counted{s, &written} },
	}
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	defer stop()
	errs := together(
		func() error { _, err := m.score(ctx); return err },
		func() error {
			await := func(n int64) {
				for written.Load() < n && ctx.Err() == nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
			await(2000)
			forget.Store(true)
			rebalance.Store(true)
			for !strings.Contains(told.read(), "joining again") && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			send(t, c, "in", rows(2000, 500))
			await(2500)
			stop()
			return nil
		})
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	want(t, count(t, m.output), 0, 2500, 1, 2)
	if text := told.read(); !strings.Contains(text, "has forgotten this member; joining again") {
		t.Errorf("told %q", text)
	}
}

// counted counts the records written.
type counted struct {
	pipeline.Sink
	n *atomic.Int64
}

func (s counted) Write(b *pipeline.Batch) error {
	err := s.Sink.Write(b)
	s.n.Add(int64(b.Len()))
	return err
}
