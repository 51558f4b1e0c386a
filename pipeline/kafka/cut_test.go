package kafka_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"ctr/pipeline/kafka"
)

// wires listens for a broker whose connections can be cut, and answers
// changed.
type wires struct {
	net.Listener
	mu   sync.Mutex
	open map[*wire]bool
	// meddle, where not nil, says what becomes of a request.
	meddle func(key kmsg.Key) fate
	// stopped, where not "", is the client whose requests wait until it isn't.
	stopped string
}

// fate is what becomes of a request. The zero fate is an answer.
type fate struct {
	unseen bool        // the connection is cut before the broker has read it
	mute   bool        // the connection is cut in the place of an answer
	code   *kerr.Error // the answer says this, though the broker has done it: EndTxn and AddOffsetsToTxn alone
}

// wire is a connection. Answers come in the order of the requests.
type wire struct {
	net.Conn
	of      *wires
	request []byte   // what the broker has not yet read of it
	answers []answer // to come
}

type answer struct {
	fate
	version int16
}

func (w *wires) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	x := &wire{Conn: c, of: w}
	w.open[x] = true
	return x, nil
}

func (x *wire) Read(b []byte) (int, error) {
	if len(x.request) == 0 {
		var size [4]byte
		if _, err := io.ReadFull(x.Conn, size[:]); err != nil {
			return 0, err
		}
		x.request = make([]byte, 4+binary.BigEndian.Uint32(size[:]))
		copy(x.request, size[:])
		if _, err := io.ReadFull(x.Conn, x.request[4:]); err != nil {
			return 0, err
		}
		x.wait()
		x.of.mu.Lock()
		a := answer{version: int16(binary.BigEndian.Uint16(x.request[6:]))}
		if x.of.meddle != nil {
			a.fate = x.of.meddle(kmsg.Key(binary.BigEndian.Uint16(x.request[4:])))
		}
		x.answers = append(x.answers, a)
		x.of.mu.Unlock()
		if a.unseen {
			x.reset()
			return 0, net.ErrClosed
		}
	}
	n := copy(b, x.request)
	x.request = x.request[n:]
	return n, nil
}

// wait holds a request of a client that is stopped.
func (x *wire) wait() {
	name := x.request[14:] // after size, key, version, correlation and its own length
	name = name[:min(len(name), int(max(0, int16(binary.BigEndian.Uint16(x.request[12:])))))]
	for stopped := true; stopped; {
		x.of.mu.Lock()
		stopped = x.of.stopped != "" && x.of.stopped == string(name)
		x.of.mu.Unlock()
		if stopped {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (x *wire) Write(b []byte) (int, error) {
	x.of.mu.Lock()
	a := x.answers[0]
	x.answers = x.answers[1:]
	x.of.mu.Unlock()
	if a.mute {
		x.reset()
		return 0, net.ErrClosed
	}
	if a.code != nil {
		at := 4 + 4 + 4 // size, correlation, throttle
		if a.version >= 3 {
			at++ // no tags
		}
		b = bytes.Clone(b)
		binary.BigEndian.PutUint16(b[at:], uint16(a.code.Code))
	}
	return x.Conn.Write(b)
}

// reset ends the connection without order.
func (x *wire) reset() {
	if t, ok := x.Conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = x.Conn.Close()
}

// cut resets about one in n connections: requests half read, and answers to
// what has been done, are lost.
func (w *wires) cut(random *rand.Rand, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		if random.IntN(n) == 0 {
			c.reset()
			delete(w.open, c)
		}
	}
}

// wired starts a broker at addr ("127.0.0.1:0" is any) whose connections can
// be cut.
func wired(t *testing.T, addr string, opts ...kfake.Opt) (*kfake.Cluster, *wires) {
	t.Helper()
	w := &wires{open: map[*wire]bool{}}
	_, text, _ := net.SplitHostPort(addr)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	fake, err := kfake.NewCluster(append(opts, kfake.Ports(port), kfake.NumBrokers(1),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, addr)
			w.Listener = l
			return w, err
		}))...)
	if err != nil {
		t.Fatal(err)
	}
	return fake, w
}

// ordered checks that the numbers 0 … n-1 are in the topic once each, and in
// each partition in the order in which they were sent.
func ordered(t *testing.T, c kafka.Options, topic string, n int) {
	t.Helper()
	seen := make([]int, n)
	for p, messages := range consume(t, c, topic) {
		last := -1
		for _, m := range messages {
			i, err := strconv.Atoi(string(m.Value))
			if err != nil {
				t.Fatal(err)
			}
			if i <= last {
				t.Fatalf("partition %d: %d comes after %d", p, i, last)
			}
			last = i
			seen[i]++
		}
	}
	for i, times := range seen {
		if times != 1 {
			t.Fatalf("%d is there %d times, want once", i, times)
		}
	}
}

// Connections that are cut at random, and a broker that is away for a while,
// neither end a producer nor make it lose, repeat or reorder anything.
func TestProducerOverCutConnections(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	fake, w := wired(t, "127.0.0.1:0", kfake.SeedTopics(3, "out"), kfake.DataDir(dir))
	defer func() { fake.Close() }()
	addr := fake.ListenAddrs()[0]
	c := kafka.Options{Brokers: []string{addr}}
	told := &notes{}
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: "out", InFlight: 2000, Note: told.Note})
	if err != nil {
		t.Fatal(err)
	}
	const n = 30_000
	var sent atomic.Int64
	errs := together(
		func() error {
			defer sent.Store(n)
			began := time.Now()
			for i := range n {
				if i%100 == 0 {
					time.Sleep(time.Until(began.Add(time.Duration(i) * 150 * time.Microsecond)))
				}
				if err := p.Send(nil, strconv.AppendInt(nil, int64(i), 10)); err != nil {
					return fmt.Errorf("message %d: %w", i, err)
				}
				sent.Store(int64(i))
			}
			return nil
		},
		func() error {
			random := rand.New(rand.NewPCG(seed, 1))
			cut := func(until int64) {
				for sent.Load() < until {
					time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond)
					w.cut(random, 2)
				}
			}
			cut(n / 2)
			fake.Close()
			time.Sleep(2500 * time.Millisecond)
			fake, w = wired(t, addr, kfake.DataDir(dir))
			cut(n)
			return nil
		})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if err := errors.Join(append(errs, p.Close(ctx))...); err != nil {
		t.Fatalf("%v; told %q", err, told.read())
	}
	if p.Acknowledged() != n || p.Failed() != 0 {
		t.Errorf("%d acknowledged, %d failed: want %d, 0", p.Acknowledged(), p.Failed(), n)
	}
	ordered(t, c, "out", n)
	// A busy machine may be slow to answer, too: that is told in pairs as well.
	text := told.read()
	if gone, back := strings.Count(text, "no broker answers"), strings.Count(text, "answer again"); gone == 0 || gone != back || strings.Count(text, "\n") != 2*gone {
		t.Errorf("told %q, want that the broker went and came back", text)
	}
}

// A cluster that stays away ends a producer after its patience, with what it
// met, and what has no answer counts as failed.
func TestProducerPatience(t *testing.T) {
	t.Parallel()
	fake, _ := wired(t, "127.0.0.1:0", kfake.SeedTopics(1, "out"))
	c := kafka.Options{Brokers: fake.ListenAddrs()}
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: c, Topic: "out", InFlight: 10, Patience: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	fake.Close()
	began := time.Now()
	for err == nil && time.Since(began) < 20*time.Second {
		err = p.Send(nil, []byte("x"))
	}
	if took := time.Since(began); took < 1800*time.Millisecond || took > 10*time.Second {
		t.Errorf("gave up after %v, want about 2 s", took)
	}
	const want = "topic out: no broker has answered for 2s: "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v, want %sconnection refused", err, want)
	}
	if again := p.Close(t.Context()); again == nil || again.Error() != err.Error() {
		t.Errorf("close: %v, want the same error", again)
	}
	if p.Acknowledged() != 0 || p.Failed() == 0 {
		t.Errorf("%d acknowledged, %d failed: want 0, some", p.Acknowledged(), p.Failed())
	}
}
