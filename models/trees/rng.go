package trees

import "math/bits"

// mix is the finaliser of splitmix64 (Steele, Lea and Flood 2014). Seeds of
// trees and nodes are made with it from the seed of the run and their place,
// never from a shared stream, so that the order of work does not matter.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// rng is the splitmix64 generator.
type rng uint64

func (r *rng) next() uint64 {
	x := mix(uint64(*r))
	*r += 0x9e3779b97f4a7c15
	return x
}

// below gives a number in 0 … n-1 (Lemire's multiplication; its bias, under
// n/2^64, is of no matter here).
func (r *rng) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}
