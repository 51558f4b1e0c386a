package kafka_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// A member may wait so long for the group's commits that the group has given its
// partitions to another. What it is told then may be a commit of that one, whose
// open files it must not take for those of a member that has stopped.
func TestCommitsOfLaterOwnersAreNotTakenOver(t *testing.T) {
	t.Parallel()
	fake, _, c := wiredIn(t, 1, 2000)
	var name atomic.Value // the first member's
	fake.ControlKey(kmsg.SyncGroup.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		name.CompareAndSwap(nil, r.(*kmsg.SyncGroupRequest).MemberID)
		return nil, nil, false
	})
	asked, answer := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	fake.ControlKey(kmsg.OffsetFetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if r.(*kmsg.OffsetFetchRequest).RequireStable && once.CompareAndSwap(false, true) {
			close(asked)
			fake.SleepControl(func() { <-answer })
		}
		return nil, nil, false
	})

	var written atomic.Int64
	var sink *resumed
	m := stay{
		SourceOptions: kafka.SourceOptions{Options: c, SessionTimeout: 6 * time.Second}, output: output(t),
		wrap: func(s pipeline.Sink) pipeline.Sink {
			sink = &resumed{Sink: counted{s, &written}}
			return sink
		},
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	errs := together(
		func() error { _, err := m.score(ctx); return err },
		func() error {
			defer stop()
			<-asked
			err := later(ctx, c, name.Load().(string))
			close(answer)
			for written.Load() < 1000 && err == nil && ctx.Err() == nil {
				time.Sleep(10 * time.Millisecond)
			}
			return err
		})
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	want(t, count(t, m.output), 1000, 1000, 1, 1)
	for _, a := range sink.got {
		if a.Member == name.Load() {
			t.Errorf("%v: taken up by %s, which the group had forgotten", a, a.Member)
		}
		if a.Metadata != "a later owner's" || a.Committed != 1000 {
			t.Errorf("%v: committed %d, %q", a, a.Committed, a.Metadata)
		}
	}
	if len(sink.got) == 0 {
		t.Error("the member did not join again")
	}
}

// later makes the group forget a member, and commits what another has scored.
func later(ctx context.Context, c kafka.Options, name string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers...), kgo.MaxVersions(kversion.V3_0_0())) // later ones want ids of topics
	if err != nil {
		return err
	}
	defer client.Close()
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = "g"
	leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: name}}
	if _, err := leave.RequestWith(ctx, client); err != nil {
		return err
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = "g", -1
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Offset, partition.Metadata = 1000, new("a later owner's")
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.Partitions = "in", append(topic.Partitions, partition)
	commit.Topics = append(commit.Topics, topic)
	resp, err := commit.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// resumed keeps the assignments that a sink takes up.
type resumed struct {
	pipeline.Sink
	got []*pipeline.Assignment
}

func (s *resumed) Resume(a *pipeline.Assignment) error {
	s.got = append(s.got, a)
	return s.Sink.Resume(a)
}
