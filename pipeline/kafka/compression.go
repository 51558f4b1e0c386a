package kafka

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// NoCompression sends batches of records as they are.
const NoCompression = "none"

// Compressions gives the values of Compression in the options of those who
// send, in the order of the help and of their numbers in Kafka's protocol.
func Compressions() []string { return []string{NoCompression, "gzip", "snappy", "lz4", "zstd"} }

// codecs are those of Compressions.
var codecs = []kgo.CompressionCodec{
	kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
}

// codec gives the compression of a name; "" is NoCompression.
func codec(name string) (c kgo.CompressionCodec, err error) {
	i := slices.Index(Compressions(), cmp.Or(name, NoCompression))
	if i < 0 {
		return c, fmt.Errorf("compression %q: want one of %s", name, strings.Join(Compressions(), ", "))
	}
	return codecs[i], nil
}
