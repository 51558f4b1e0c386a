package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"ctr/pipeline/monitor"
)

// liveSample is a Live of a stream with everything in it.
func liveSample() *monitor.Live {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	x := func(v float64) *float64 { return &v }
	value, one := "1fbe\x1b[2J01fe", 1
	q := &monitor.Quality{Rows: 1000, Clicks: 170, Accuracy: x(.7654), F1: x(.4), AUC: x(.73), LogLoss: x(.41), Predicted: x(.16), Observed: x(.17), Calibration: x(.94)}
	l := &monitor.Live{
		Time: now, Source: "stream", Version: "1.2.3", Uptime: 3725, State: "ready", Topic: "clicks", Group: "g",
		Totals:        monitor.Totals{Predictions: 1234567, Bad: 3, DeadLetters: 3},
		RowsPerSecond: 12431.4, LagTotal: 750,
		Latency: []monitor.Latency{{Name: "record", P50: x(.0031), P90: x(.0082), P99: x(.0214), P999: x(.1), Max: x(1.5)}},
		Alarms:  []monitor.Alarm{{Kind: "psi", Since: now, Text: "column C14 is spread otherwise"}},
		Models: []monitor.Model{{
			Name: "lr", Version: "abc", Hash: "abc", Algo: "lr", Threshold: .2, Loaded: now.Add(-time.Minute), MeanScore: x(.1731), Sampled: 1000, Total: q, Recent: q,
			Columns: []monitor.Column{{Name: "C1", PSI: x(.01)}, {Name: "C14", PSI: x(.3), Alarm: "psi", Unseen: x(.00001)}, {Name: "C15", Note: "hashed"}},
		}},
		Predictions: []monitor.Prediction{{Time: now, Probability: .25, Prediction: 1, Label: &one, Why: []monitor.Reason{{Column: "site", Value: &value, Contribution: .5}, {Column: "app", Contribution: -.25}}}},
		Problems:    []monitor.Problem{{Time: now, Place: "clicks/1@5", Text: "column click: \"yes\": want 0 or 1", Count: 3}},
	}
	for i := range 120 {
		l.Models[0].Seconds = append(l.Models[0].Seconds, monitor.Point{Time: now.Add(time.Duration(i-120) * time.Second), Predictions: int64(i * 100), Predicted: x(.17)})
	}
	for p := range 12 {
		l.Lag = append(l.Lag, monitor.Partition{Topic: "clicks", Partition: int32(p), Lag: int64(p), Committed: int64(p) - 1})
	}
	return l
}

func texts(lines []viewLine) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

// TestWatchView: what is shown are the document's figures.
func TestWatchView(t *testing.T) {
	got := texts(view{}.lines(liveSample(), ""))
	for _, want := range []string{
		"ctr 1.2.3   topic clicks, group g   up 1 h 2 min   ready",
		"model lr   lr   hash abc   click above 0.2000   loaded 1 min 0 s ago",
		"rows/s         12,431  ▅", "█\n",
		"predicted      17.3 %", "observed       17.0 %",
		"end to end  p50 3.10 ms   p90 8.20 ms   p99 21.4 ms   p99.9 100 ms   max 1.50 s",
		"1,234,567 predictions, 3 bad rows, 3 dead letters, lag 750",
		"since the start  1,000    0.7654  0.4000  0.7300    0.4100     16.0 %    17.0 %  0.940",
		": column C14 is spread otherwise",
		"clicks/0         0       0            0          –",
		"C14     0.300  <0.01 %            –        –            –  ALARM psi",
		"site=1fbe·[2J01fe +0.50  app=… -0.25",
		"clicks/1@5  column click: \"yes\": want 0 or 1 (3 times)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Index(got, "C14  ") > strings.Index(got, "C1  ") {
		t.Errorf("columns: want those with alarms first:\n%s", got)
	}
	if strings.ContainsRune(got, '\x1b') {
		t.Errorf("a value of a row reaches the terminal as it is: %q", got)
	}
}

// TestWatchViewFits: the picture has the size of the terminal at most, and fills
// it as long as there is something to show.
func TestWatchViewFits(t *testing.T) {
	full := len(view{height: 1000, width: 200}.lines(liveSample(), ""))
	for height := 1; height < 60; height++ {
		for _, width := range []int{1, 20, 80, 200} {
			lines := view{width: width, height: height}.lines(liveSample(), "away")
			if len(lines) > height || len(lines) < min(height, full)-2 {
				t.Errorf("%d lines of %d", len(lines), height)
			}
			for _, l := range lines {
				if n := utf8.RuneCountInString(l.text); n > width {
					t.Errorf("width %d: %q has %d", width, l.text, n)
				}
			}
		}
	}
}

// TestWatchViewEmpty: a process that has just begun has nothing.
func TestWatchViewEmpty(t *testing.T) {
	l := &monitor.Live{Source: "serve", State: "starting"}
	if got := texts(view{width: 80, height: 24}.lines(l, "")); !strings.Contains(got, "no such model is loaded") {
		t.Errorf("got\n%s", got)
	}
	l.Models = []monitor.Model{{Name: "lr"}}
	if got := texts(view{width: 80, height: 24}.lines(l, "")); !strings.Contains(got, "no labels have come") || !strings.Contains(got, "0 requests, 0 errors") {
		t.Errorf("got\n%s", got)
	}
}

// lockedText is what a screen has written.
type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestWatchScreen: it is drawn anew with each answer and each size, goes on when
// the server goes, and leaves the terminal as it was.
func TestWatchScreen(t *testing.T) {
	t.Parallel()
	var out lockedText
	var mu sync.Mutex
	width, calls := 80, 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := screen{
		out: &out, every: time.Millisecond, color: true,
		size: func() (int, int) { mu.Lock(); defer mu.Unlock(); return width, 30 },
		get: func(context.Context) (*monitor.Live, error) {
			mu.Lock()
			defer mu.Unlock()
			calls++
			if calls%2 == 0 {
				return nil, errors.New("connection refused")
			}
			l := liveSample()
			l.Version = fmt.Sprintf("v%d", calls)
			return l, nil
		},
	}
	done := make(chan error, 1)
	go func() { done <- w.run(ctx, liveSample()) }()
	see := func(want string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), want); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("no %q in %q", want, out.String())
			}
		}
	}
	see("connection lost, trying again: connection refused")
	see("ctr v3 ")
	mu.Lock()
	width = 30
	mu.Unlock()
	see("ctr v")
	mark := len(out.String())
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		last := out.String()[mark:]
		if i := strings.LastIndex(last, screenHome); i > 0 && strings.Contains(last[:i], "…"+lineEnd) && !strings.Contains(last[:i][strings.LastIndex(last[:i], screenHome):], "loaded") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the new size is not followed")
		}
	}
	if text := out.String(); strings.Contains(text, lineEnd+lineStart) || strings.Contains(text, lineEnd+"\x1b[J") {
		t.Error("a full line loses its last character: the cursor is still on it when the rest is cleared")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text := out.String(); !strings.HasPrefix(text, screenEnter) || !strings.HasSuffix(text, screenLeave) || strings.Count(text, screenLeave) != 1 {
		t.Errorf("the terminal is not left as it was: %.80q … %q", text, text[len(text)-40:])
	}
}

func TestLiveURL(t *testing.T) {
	t.Parallel()
	f := func(text, want string) {
		t.Helper()
		got, err := liveURL(text)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	f("", "http://127.0.0.1:8080/api/live")
	f("9000", "http://127.0.0.1:9000/api/live")
	f("scorer:8080", "http://scorer:8080/api/live")
	f("[::1]:8080", "http://[::1]:8080/api/live")
	f("https://scorer:8443/", "https://scorer:8443/api/live")
	f("https://host/ctr/?x=1#y", "https://host/ctr/api/live")
	f("http://host/ctr/api/live", "http://host/ctr/api/live")
	f("ftp://host", "ftp://host: want an address such as 127.0.0.1:8080 or https://scorer:8443")
	f("http://", "http://: want an address such as 127.0.0.1:8080 or https://scorer:8443")
	f("a b", "a b: want an address such as 127.0.0.1:8080 or https://scorer:8443")
}
