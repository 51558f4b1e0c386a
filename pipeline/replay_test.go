package pipeline

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// memoryProducer keeps what it is sent, and when.
type memoryProducer struct {
	keys, values []string
	times        []time.Time
	failAt       int // Send fails from this message on; 0 = never
	closed       bool
}

func (p *memoryProducer) Send(key, value []byte) error {
	if p.failAt > 0 && len(p.values) >= p.failAt {
		return errors.New("topic gone")
	}
	p.keys = append(p.keys, string(key))
	p.values = append(p.values, string(value))
	p.times = append(p.times, time.Now())
	return nil
}

func (p *memoryProducer) Acknowledged() int64         { return int64(len(p.values)) }
func (p *memoryProducer) Failed() int64               { return 0 }
func (p *memoryProducer) Close(context.Context) error { p.closed = true; return nil }

// hours writes a file with a row for each hour text, named r0, r1, …
func hours(t *testing.T, texts ...string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("id,click,hour\n")
	for i, h := range texts {
		b.WriteString("r" + string(rune('0'+i)) + ",0," + h + "\n")
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEvenPace(t *testing.T) {
	p := evenPace{rate: 4000}
	for i := range 10_000 {
		got, want := p.due(nil), time.Duration(i)*250*time.Microsecond
		if (got - want).Abs() > time.Microsecond {
			t.Fatalf("row %d is due at %v, want %v", i, got, want)
		}
	}
}

// In real time too: never early by more than the slack, and done in time.
func TestReplayKeepsItsRate(t *testing.T) {
	p := &memoryProducer{}
	o := ReplayOptions{Rate: 2000, Loop: true, Limit: 1000}
	o.Files = []string{hours(t, "14102100", "14102101", "14102102")}
	started := time.Now()
	sum, err := Replay(t.Context(), o, p, nil)
	if err != nil || sum.Sent != 1000 || !p.closed {
		t.Fatalf("summary %+v, %v: want 1,000 sent", sum, err)
	}
	for i, at := range p.times {
		if early := time.Duration(i)*500*time.Microsecond - at.Sub(started); early > slack {
			t.Fatalf("row %d was %v early", i, early)
		}
	}
	if sum.Seconds > 5 {
		t.Errorf("1,000 rows at 2,000 a second took %v s", sum.Seconds)
	}
}

// The data's clock: rows of an hour are spread over it, a late row goes at
// once, and a row without a time with the one before it.
func TestDataClock(t *testing.T) {
	p := &memoryProducer{}
	// 72,000 times as fast: an hour is 50 ms.
	o := ReplayOptions{Speed: 72_000}
	o.Files = []string{hours(t, "14102100", "14102100", "14102102", "14102101", "nonsense", "14102103")}
	started := time.Now()
	sum, err := Replay(t.Context(), o, p, nil)
	if err != nil || sum.Sent != 6 {
		t.Fatalf("summary %+v, %v: want 6 sent", sum, err)
	}
	for i, hour := range []float64{0, 0.5, 2, 2, 2, 3} {
		due := time.Duration(hour * float64(50*time.Millisecond))
		got := p.times[i].Sub(started)
		if got < due-slack || got > due+2*time.Second {
			t.Errorf("row %d was sent after %v, want %v", i, got, due)
		}
	}
}

func TestDataClockLaps(t *testing.T) {
	o := ReplayOptions{Speed: 360_000, Loop: true, Limit: 7} // an hour is 10 ms
	o.Files = []string{hours(t, "14102100", "14102101", "14102102")}
	p := &memoryProducer{}
	started := time.Now()
	if _, err := Replay(t.Context(), o, p, nil); err != nil {
		t.Fatal(err)
	}
	if got := p.times[6].Sub(started); got < 60*time.Millisecond-slack {
		t.Errorf("the third lap began after %v, want 60 ms", got)
	}
}

func TestReplayStandardInput(t *testing.T) {
	o := ReplayOptions{Rate: math.Inf(1), Key: "hour"}
	o.Files = []string{"-"}
	o.Stdin = strings.NewReader("id,click,hour\na,0,14102100\nb,1,14102101\n")
	p := &memoryProducer{}
	if _, err := Replay(t.Context(), o, p, nil); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.values, []string{"a,0,14102100", "b,1,14102101"}) ||
		!slices.Equal(p.keys, []string{"14102100", "14102101"}) {
		t.Errorf("values %q, keys %q", p.values, p.keys)
	}
}

func TestReplayErrors(t *testing.T) {
	path := hours(t, "14102100", "14102101")
	f := func(change func(o *ReplayOptions, p *memoryProducer), want string) {
		t.Helper()
		o, p := ReplayOptions{Rate: math.Inf(1)}, &memoryProducer{}
		o.Files = []string{path}
		change(&o, p)
		_, err := Replay(t.Context(), o, p, nil)
		if errorText(err) != want {
			t.Errorf("error %q, want %q", errorText(err), want)
		}
		if !p.closed {
			t.Error("the producer was not closed")
		}
	}
	f(func(o *ReplayOptions, _ *memoryProducer) { o.Files = nil }, "replay: no file: want at least one")
	f(func(o *ReplayOptions, _ *memoryProducer) { o.Rate, o.Speed, o.Limit = -1, math.NaN(), -1 },
		"replay: rate -1: want more than 0; speed NaN: want more than 0; rate, speed: want one of them; limit -1: want 1 or more")
	f(func(o *ReplayOptions, _ *memoryProducer) { o.Files, o.Loop = []string{"-"}, true },
		"replay: loop: standard input can be read only once")
	f(func(o *ReplayOptions, _ *memoryProducer) { o.Files = []string{"/nowhere.csv"} }, "/nowhere.csv: no such file")
	f(func(o *ReplayOptions, _ *memoryProducer) { o.Key = "nobody" },
		path+`: column "nobody", the key: want one of id, click, hour`)
	f(func(_ *ReplayOptions, p *memoryProducer) { p.failAt = 1 }, "topic gone")
}

// awayProducer takes messages that are never answered; Close waits for its
// context, as a Producer does whose cluster is away, but no longer than
// patience, where that is not 0.
type awayProducer struct {
	memoryProducer
	patience time.Duration
}

func (p *awayProducer) Acknowledged() int64 { return 0 }

func (p *awayProducer) Close(ctx context.Context) error {
	patience := p.patience
	if patience == 0 {
		patience = 10 * time.Second
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(patience):
		return errors.New("the cluster stays away")
	}
}

// Rows that were sent and not acknowledged are an error, stopped or not. A stop
// waits for them for a while; otherwise they are waited for as long as the
// producer does.
func TestReplayTellsOfRowsWithoutAnAnswer(t *testing.T) {
	old := closePatience
	closePatience = 100 * time.Millisecond
	defer func() { closePatience = old }()
	o := ReplayOptions{Rate: 1000, Loop: true}
	o.Files = []string{hours(t, "14102100", "14102101")}
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	began := time.Now()
	sum, err := Replay(ctx, o, &awayProducer{}, nil)
	if err == nil || !sum.Stopped || sum.Sent == 0 || sum.Acknowledged != 0 {
		t.Errorf("stopped: %+v, %v: want an error", sum, err)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("stopped: took %v", d)
	}
	dead := DeadLetterReader(func(ctx context.Context, each func(*DeadLetter) error) error {
		if err := each(&DeadLetter{Topic: "a", Value: []byte("x")}); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, stop = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	sum, err = ReplayDeadLetters(ctx, dead, "", func(string) (HeaderProducer, error) { return &awayHeaders{}, nil })
	if err == nil || !sum.Stopped || sum.Sent != 1 {
		t.Errorf("dead letters, stopped: %+v, %v: want an error", sum, err)
	}
	o.Loop, o.Limit = false, 1
	if sum, err = Replay(t.Context(), o, &awayProducer{patience: 5 * closePatience}, nil); err == nil || err.Error() != "the cluster stays away" {
		t.Errorf("%+v, %v: want the producer's own error", sum, err)
	}
}

type awayHeaders struct{ awayProducer }

func (p *awayHeaders) SendWith(key, value []byte, _ []Header) error { return p.Send(key, value) }
