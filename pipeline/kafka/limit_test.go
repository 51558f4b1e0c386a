package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ctr/pipeline/kafka"
)

// limited makes a topic of one partition that takes batches of limit bytes.
func limited(t testing.TB, o kafka.Options, limit string) string {
	t.Helper()
	name := newTopic(t, o, 1) + "-limited"
	if _, err := kafka.CreateTopicWith(o, name, 1, 1, map[string]string{"max.message.bytes": limit}); err != nil {
		t.Fatal(err)
	}
	return name
}

// sendAll sends values and gives what became of them and what was told.
func sendAll(t testing.TB, o kafka.Options, topic string, values ...[]byte) (acked, failed int64, notes string) {
	t.Helper()
	var mu sync.Mutex
	var told []string
	p, err := kafka.NewProducer(kafka.ProducerOptions{Options: o, Topic: topic, Note: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if err := p.Send(nil, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return p.Acknowledged(), p.Failed(), strings.Join(told, "\n")
}

// A message that its topic does not take is not sent, and said; those around
// it are.
func TestMessageTooLarge(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	f := func(limit string, size int, taken bool) {
		t.Helper()
		topic := limited(t, c, limit)
		acked, failed, notes := sendAll(t, c, topic, []byte("a"), bytes.Repeat([]byte("x"), size), []byte("b"))
		want := int64(2)
		if taken {
			want = 3
		}
		if acked != want || failed != 3-want {
			t.Errorf("limit %s: %d bytes: %d acknowledged, %d failed: want %d and %d", limit, size, acked, failed, want, 3-want)
		}
		if told := strings.Contains(notes, "topic "+topic+": a message of ") && strings.Contains(notes, "max.message.bytes "+limit); told == taken {
			t.Errorf("limit %s: %d bytes: told %q", limit, size, notes)
		}
	}
	// A batch with one record in it takes 61 bytes, and the record 11, the value apart.
	f("1048588", 1048588-72-8, true)
	f("1048588", 1048588-71, false)
	f("1048588", 5<<20, false)
	f("50000", 50000-72-8, true)
	f("50000", 60_000, false)
	f("8000000", 5<<20, true)
}

// Batches are no larger than their topic takes, however many records wait.
func TestBatchesOfASmallTopic(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic, out := limited(t, c, "20000"), limited(t, c, "20000")
	values := make([][]byte, 0, 20_000)
	for _, r := range rows(0, 20_000) {
		values = append(values, []byte(r))
	}
	if acked, failed, _ := sendAll(t, c, topic, values...); acked != 20_000 || failed != 0 {
		t.Errorf("%d acknowledged, %d failed: want 20,000 and 0", acked, failed)
	}
	for _, once := range []bool{false, true} {
		r := toTopic{cluster: c, topic: topic, out: out, group: topic + map[bool]string{true: "once"}[once], once: once, every: time.Second}
		if sum, err := r.score(t.Context()); err != nil || sum.Rows != 20_000 {
			t.Fatalf("once %v: %d rows, %v: want 20,000", once, sum.Rows, err)
		}
	}
	want(t, ids(t, read(t, c, out)), 0, 20_000, 2, 2)
}

// Rows of any length, up to the largest, fill batches that their topic takes.
func TestBatchesOfRowsOfAnyLength(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, limit := range []int{1000, 4097, 16_400, 20_000, 131_072} {
		values := make([][]byte, 20_000_000/limit)
		for i := range values {
			values[i] = bytes.Repeat([]byte("x"), 1+rng.IntN(limit/(1+rng.IntN(40)))*4/5)
		}
		values[0] = bytes.Repeat([]byte("x"), limit-recordOverhead)
		topic := limited(t, c, strconv.Itoa(limit))
		if acked, failed, notes := sendAll(t, c, topic, values...); acked != int64(len(values)) || failed != 0 {
			t.Errorf("seed %d: limit %d: %d acknowledged, %d failed, told %q: want %d", seed, limit, acked, failed, notes, len(values))
		}
	}
}

// recordOverhead is what a refusal says is around a message at most.
const recordOverhead = 88

// A dead letter may be as large as its topic takes. One that is larger ends
// the scoring with an error that says what to do, whatever the delivery: tried
// again, it would be refused for ever.
func TestDeadLetterTooLarge(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	topic, out := limited(t, c, "8000000"), newTopic(t, c, 1)
	large, small := limited(t, c, "8000000"), newTopic(t, c, 1)
	odd := bytes.Repeat([]byte("x"), 3<<20)
	if acked, _, _ := sendAll(t, c, topic, []byte("id0,1,0.5"), odd, []byte("id1,1,0.5")); acked != 3 {
		t.Fatalf("%d acknowledged, want 3", acked)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, once := range []bool{false, true} {
		name := map[bool]string{true: "once"}[once]
		r := toTopic{cluster: c, topic: topic, out: out, dead: large, group: topic + name, once: once}
		if sum, err := r.score(t.Context()); err != nil || sum.Rows != 2 || sum.Bad != 1 {
			t.Fatalf("once %v: %d rows, %d bad, %v: want 2 and 1", once, sum.Rows, sum.Bad, err)
		}
		r = toTopic{cluster: c, topic: topic, out: out, dead: small, group: topic + "small" + name, once: once}
		_, err := r.score(ctx)
		var h interface{ Hint() string }
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "topic "+small+": MESSAGE_TOO_LARGE") ||
			!errors.As(err, &h) || !strings.Contains(h.Hint(), "max.message.bytes") {
			t.Errorf("once %v: error %v: want one of topic %s with a hint", once, err, small)
		}
	}
	letters := read(t, c, large)
	if len(letters) != 2 || !bytes.Equal(letters[0].Value, odd) || !bytes.Equal(letters[1].Value, odd) {
		t.Errorf("%d dead letters, want 2 of %d bytes", len(letters), len(odd))
	}
	if letters := read(t, c, small); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
	}
}
