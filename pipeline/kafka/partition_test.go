package kafka

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A key has the partition that franz-go's copy of Kafka's partitioner gives
// it, whether ctr replay or ctr score sends it. The empty key is a key.
func TestKeysLieWhereFranzPutsThem(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	ours := newPartitioner("t")
	for i := range 100_000 {
		key := make([]byte, i%40)
		for k := range key {
			key[k] = byte(r.Uint32())
		}
		n := 1 + r.Int32N(200)
		want := theirs.Partition(&kgo.Record{Key: key}, int(n))
		if replayed := ours(&kgo.Record{Key: key}, int(n)); replayed != want {
			t.Fatalf("seed %d: key %x of %d partitions: %d: want %d", seed, key, n, replayed, want)
		}
		if scored := partitionOf(&kgo.Record{Key: key, Partition: r.Int32()}, int(n)); scored != want {
			t.Fatalf("seed %d: key %x of %d partitions: scored %d, want %d", seed, key, n, scored, want)
		}
	}
}

// Without keys a partition's turn is 16 KiB, and 64 where these come at once.
func TestTurnsOfPartitions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		each time.Duration // between messages of 1 KiB
		turn int
	}{{time.Second, 16}, {time.Millisecond, 16}, {100 * time.Microsecond, 64}, {0, 64}} {
		synctest.Test(t, func(t *testing.T) {
			partition, r := newPartitioner("t"), &kgo.Record{Value: make([]byte, 1<<10)}
			first := partition(r, 4)
			for i := 1; i < 1000; i++ {
				time.Sleep(c.each)
				if got, want := partition(r, 4), (first+i/c.turn)%4; got != want {
					t.Fatalf("one each %v: message %d to partition %d, want %d", c.each, i, got, want)
				}
			}
		})
	}
}
