package trees

import (
	"math/bits"

	"ctr/features"
)

// rng is the splitmix64 generator.
type rng uint64

func (r *rng) next() uint64 {
	x := features.Mix64(uint64(*r))
	*r += 0x9e3779b97f4a7c15
	return x
}

// below gives a number in 0 … n-1 (Lemire's multiplication; its bias, under
// n/2^64, is of no matter here).
func (r *rng) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}
