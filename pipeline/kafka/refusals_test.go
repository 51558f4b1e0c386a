package kafka_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ctr/pipeline"
	"ctr/pipeline/kafka"
)

// moody is a cluster whose sessions last two seconds, and which refuses
// passwords, or what comes to topics, while it is told to.
type moody struct {
	kafka.Options
	password, topic atomic.Int32 // codes of errors; 0 = none
}

func newMoody(t *testing.T) *moody {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(kafka.ScramSHA256, "alice", secret),
		kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": "2000"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	m := &moody{Options: kafka.Options{Brokers: c.ListenAddrs(), Security: &kafka.Security{
		Mechanism: kafka.ScramSHA256, User: "alice", Password: kafka.NewSecret(secret),
	}}}
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		code := int16(m.password.Load())
		if code == 0 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode, resp.ErrorMessage = code, kmsg.StringPtr("no, not "+secret)
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		code := int16(m.topic.Load())
		if code == 0 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, rt := range req.(*kmsg.OffsetCommitRequest).Topics {
			st := kmsg.NewOffsetCommitResponseTopic()
			st.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				sp := kmsg.NewOffsetCommitResponseTopicPartition()
				sp.Partition, sp.ErrorCode = rp.Partition, code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	return m
}

// scoring runs ctr's own reading of a topic into another.
type scoring struct {
	mu    sync.Mutex
	notes []string
	stop  context.CancelFunc
	done  chan error
}

func (m *moody) score(t *testing.T, in, out string, patience time.Duration) *scoring {
	t.Helper()
	s := &scoring{done: make(chan error, 1)}
	note := func(text string) {
		s.mu.Lock()
		s.notes = append(s.notes, text)
		s.mu.Unlock()
	}
	src, err := kafka.NewSource(kafka.SourceOptions{Options: m.Options, Topic: in, Group: in, From: kafka.Earliest, Patience: patience, Note: note})
	if err != nil {
		t.Fatal(err)
	}
	sink, err := kafka.NewTopicSink(kafka.TopicSinkOptions{Options: m.Options, Topic: out, Note: note})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		_, err := pipeline.Score(ctx, pipeline.ScoreOptions{Scorers: newFakeScorer}, src, sink, noteObserver(note))
		s.done <- err
	}()
	t.Cleanup(func() { cancel(); _ = sink.Close(); _ = src.Close() })
	return s
}

// noteObserver is told of notes alone.
type noteObserver func(string)

func (noteObserver) Progress(pipeline.Stage, int64, int64, string) {}
func (f noteObserver) Note(text string)                            { f(text) }

// say gives how many notes have a text in them.
func (s *scoring) say(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, note := range s.notes {
		if strings.Contains(note, text) {
			n++
		}
	}
	return n
}

func (s *scoring) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.notes, "\n")
}

func within(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

func (m *moody) written(t *testing.T, topic string) int64 {
	t.Helper()
	info, err := kafka.DescribeTopic(m.Options, topic)
	if err != nil {
		t.Fatal(err)
	}
	return info.Partitions[0].End
}

// A password that is refused for a while, or a right, is told once when that
// begins and once when it is over, and nothing is lost.
func TestRefusalsEnd(t *testing.T) {
	t.Parallel()
	f := func(name, want string, mood func(m *moody) *atomic.Int32, code *kerr.Error) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMoody(t)
			in, out := newTopic(t, m.Options, 1), newTopic(t, m.Options, 1)
			send(t, m.Options, in, rows(0, 20))
			s := m.score(t, in, out, time.Minute)
			within(t, 30*time.Second, "20 rows", func() bool { return m.written(t, out) >= 20 })
			time.Sleep(time.Second) // for a commit
			send(t, m.Options, in, rows(20, 10))
			mood(m).Store(int32(code.Code))
			within(t, 40*time.Second, want, func() bool { return s.say(want) == 1 })
			time.Sleep(3 * time.Second)
			mood(m).Store(0)
			send(t, m.Options, in, rows(30, 10))
			within(t, 30*time.Second, "40 rows", func() bool { return m.written(t, out) >= 40 })
			within(t, 40*time.Second, "the end", func() bool { return s.say("brokers accept this client again after ") == 1 })
			time.Sleep(2 * time.Second)
			s.stop()
			if err := <-s.done; err != nil {
				t.Error(err)
			}
			all := s.all()
			// That a member that was kept out has lost its partitions is one more thing to know.
			if s.say(want) != 1 || s.say("trying again") != 1 || s.say("again after") != 1 || strings.Count(all, "\n") > 1+s.say("its last rows will be scored again") {
				t.Errorf("notes, want one at the beginning and one at the end:\n%s", all)
			}
			if strings.Contains(all, secret) {
				t.Errorf("a secret: %s", all)
			}
		})
	}
	f("password", "SCRAM-SHA-256: user alice: user or password is refused at 127.0.0.1:", func(m *moody) *atomic.Int32 { return &m.password }, kerr.SaslAuthenticationFailed)
	f("group", "user alice may not use the group at 127.0.0.1:", func(m *moody) *atomic.Int32 { return &m.topic }, kerr.GroupAuthorizationFailed)
}

// A password that stays wrong ends a scorer once its patience is over, and the
// error says why.
func TestRefusalsEndAScorer(t *testing.T) {
	t.Parallel()
	m := newMoody(t)
	in, out := newTopic(t, m.Options, 1), newTopic(t, m.Options, 1)
	send(t, m.Options, in, rows(0, 20))
	s := m.score(t, in, out, 4*time.Second)
	within(t, 30*time.Second, "20 rows", func() bool { return m.written(t, out) >= 20 })
	m.password.Store(int32(kerr.SaslAuthenticationFailed.Code))
	began := time.Now()
	select {
	case err := <-s.done:
		if err == nil || !strings.Contains(err.Error(), "SCRAM-SHA-256: user alice: user or password is refused at 127.0.0.1:") || !strings.Contains(hintOf(err), "CTR_SASL_PASSWORD") {
			t.Errorf("error %v, hint %q", err, hintOf(err))
		}
		if took := time.Since(began); took < 4*time.Second {
			t.Errorf("ended after %v, want 4s of patience", took)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("still scoring")
	}
	if s.say("trying again") != 1 {
		t.Errorf("notes:\n%s", s.all())
	}
}
