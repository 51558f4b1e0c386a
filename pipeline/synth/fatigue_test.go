package synth

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
)

// Fatigue changes the clicks and nothing else, and each row's true probability
// is the one it would have without, moved by what its user has seen.
func TestFatigueCountsUsers(t *testing.T) {
	const n = 5*blockRows + 100
	plain, plainTruth := written(t, Options{Rows: n, Seed: 2, NoClick: true})
	tired, tiredTruth := written(t, Options{Rows: n, Seed: 2, NoClick: true, Fatigue: true, Threads: 3})
	if plain != tired {
		t.Fatal("fatigue changes more than clicks")
	}
	before, after := probabilities(t, plainTruth), probabilities(t, tiredTruth)
	r := csv.NewReader(strings.NewReader(tired))
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	type seen struct{ all, hour uint32 }
	users, hourOf := map[string]seen{}, map[string]string{}
	shared, again := 0, 0
	for i := range n {
		rec, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		user := "device " + rec[10]
		if rec[10] == noDeviceID {
			user = rec[11] + " " + rec[12]
		}
		u := users[user]
		if hourOf[user] != rec[1] {
			u.hour, hourOf[user] = 0, strings.Clone(rec[1])
		}
		if u.all > 0 {
			again++
		}
		want := fatigueIntercept + fatigueStep*doublings(u.all) + fatigueHourStep*doublings(u.hour)
		if got := logit(after[i]) - logit(before[i]); math.Abs(got-float64(want)/1000) > .01 {
			shared++ // its entry is another user's as well
		}
		users[user] = seen{u.all + 1, u.hour + 1}
	}
	if again < n/50 {
		t.Errorf("%d rows of users seen before, want some", again)
	}
	if shared > n/50 {
		t.Errorf("%d of %d rows have another truth than the count of their users", shared, n)
	}
}

func probabilities(t *testing.T, truth string) (p []float64) {
	t.Helper()
	for line := range strings.Lines(strings.TrimPrefix(truth, truthHeader)) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), ",")
		x, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, x)
	}
	return p
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

func TestFatigueIsTheSameAtAnyThreads(t *testing.T) {
	const n = 6*blockRows + 3
	rows, truth := written(t, Options{Rows: n, Seed: 3, Threads: 1, Fatigue: true})
	for _, threads := range []int{2, 5} {
		if r, p := written(t, Options{Rows: n, Seed: 3, Threads: threads, Fatigue: true}); r != rows || p != truth {
			t.Errorf("%d threads: other bytes than one thread gives", threads)
		}
	}
	sum, clicks := 0.0, strings.Count(rows, ",1,14")
	for _, p := range probabilities(t, truth) {
		sum += p
	}
	if got := float64(clicks) / n; math.Abs(got-sum/n) > .006 || got < .15 || got > .19 {
		t.Errorf("click rate %.4f, truth %.4f: want them alike and about .17", got, sum/n)
	}
}

// Whoever stops the rows does not wait for a turn that will not come.
func TestFatigueStops(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	r := NewReader(ctx, Options{Rows: 1 << 30, Threads: 4, Fatigue: true})
	if _, err := io.CopyN(io.Discard, r, 5<<20); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
