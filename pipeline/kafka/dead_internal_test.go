package kafka

import (
	"maps"
	"strings"
	"testing"
)

// A partition that nobody leads may have dead letters: they are not left out
// without a word.
func TestDeadPartitions(t *testing.T) {
	t.Parallel()
	whole := []PartitionInfo{{Partition: 0, Leader: 1, First: 3, End: 9}, {Partition: 1, Leader: 1, First: 4, End: 4}}
	offsets, left, err := deadPartitions("d", whole)
	if err != nil || len(offsets) != 1 || !maps.Equal(left, map[int32]int64{0: 9}) {
		t.Errorf("%v, %v, %v: want partition 0 up to 9", offsets, left, err)
	}
	for _, p := range []PartitionInfo{{Partition: 2, Leader: -1, First: -1, End: -1}, {Partition: 2, Leader: 1, First: -1, End: -1}} {
		if _, _, err := deadPartitions("d", append(whole, p)); err == nil || !strings.Contains(err.Error(), "topic d: partition 2: no leader") {
			t.Errorf("%+v: %v, want an error of partition 2", p, err)
		}
	}
}
