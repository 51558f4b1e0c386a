package kafka

import (
	"math/rand/v2"
	"testing"

	"github.com/IBM/sarama"
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
		replayed, err := ours.Partition(&sarama.ProducerMessage{Key: &bytesEncoder{key}}, n)
		if err != nil || int(replayed) != want {
			t.Fatalf("seed %d: key %x of %d partitions: %d, %v: want %d", seed, key, n, replayed, err, want)
		}
		if scored := partitionOf(&kgo.Record{Key: key, Partition: r.Int32()}, int(n)); scored != want {
			t.Fatalf("seed %d: key %x of %d partitions: scored %d, want %d", seed, key, n, scored, want)
		}
	}
}
