package kafka

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

// NoCompression sends batches of records as they are.
const NoCompression = "none"

// codecs are the ways to compress a batch of records, in the order of their
// numbers in Kafka's protocol.
var codecs = []struct {
	name   string
	sarama sarama.CompressionCodec
	franz  kgo.CompressionCodec
}{
	{NoCompression, sarama.CompressionNone, kgo.NoCompression()},
	{"gzip", sarama.CompressionGZIP, kgo.GzipCompression()},
	{"snappy", sarama.CompressionSnappy, kgo.SnappyCompression()},
	{"lz4", sarama.CompressionLZ4, kgo.Lz4Compression()},
	{"zstd", sarama.CompressionZSTD, kgo.ZstdCompression()},
}

// Compressions gives the values of Compression in the options of those who
// send, in the order of the help.
func Compressions() []string {
	names := make([]string, len(codecs))
	for i, c := range codecs {
		names[i] = c.name
	}
	return names
}

// codec gives the place of a compression in codecs; "" is NoCompression.
func codec(name string) (int, error) {
	i := slices.Index(Compressions(), cmp.Or(name, NoCompression))
	if i < 0 {
		return 0, fmt.Errorf("compression %q: want one of %s", name, strings.Join(Compressions(), ", "))
	}
	return i, nil
}
