package synth

import (
	"context"
	"math/bits"
)

// Fatigue, in thousandths of a logit: a user (a device where it is known,
// else an address with a model) clicks less the more impressions it has had,
// by so much for each doubling of their number, and again for those of the
// same hour. Beyond fatigueDoublings an address is no single person.
const (
	fatigueStep      = -400
	fatigueHourStep  = -600
	fatigueDoublings = 5
	fatigueIntercept = 150 // so that the mean stays about where it is without
)

// fatigue counts the impressions of users in the order of the rows. It is a
// table of a fixed size; users whose hashes fall on one entry count as one,
// which is part of the truth: one to three in a hundred users up to a million
// rows, most of them at forty million.
type fatigue struct {
	// seen has, for each entry, impressions so far in 12 bits, those of the
	// hour in 12 more, and the hour in 8, so that it fits a load.
	seen  []uint32
	shift uint
}

const fatigueMax = 1<<12 - 1

// newFatigue has 32 entries a row or more, from 2^16 up to 2^24 of four bytes.
func newFatigue(rows int64) *fatigue {
	n := min(max(bits.Len64(uint64(rows))+5, 16), 24)
	return &fatigue{seen: make([]uint32, 1<<n), shift: uint(64 - n)}
}

// user names who sees the row.
func (r *row) user() uint64 {
	if r.deviceID != none {
		return hash2(saltFatigue, 1, uint64(r.deviceID))
	}
	return hash2(saltFatigue, 2+uint64(r.ip), uint64(r.model))
}

// see gives the effect of what the user has seen so far, and counts the row.
func (f *fatigue) see(user uint64, hour uint32) int32 {
	e := &f.seen[user>>f.shift]
	count, inHour := *e&fatigueMax, *e>>12&fatigueMax
	if *e>>24 != hour {
		inHour = 0
	}
	*e = min(count+1, fatigueMax) | min(inHour+1, fatigueMax)<<12 | hour<<24
	return logits(fatigueIntercept + fatigueStep*doublings(count) + fatigueHourStep*doublings(inHour))
}

func doublings(n uint32) int64 { return int64(min(bits.Len32(n), fatigueDoublings)) }

// fatigueTurn hands the one fatigue from block to block: the goroutine that
// makes a block receives it from own, counts, and gives it to next.
type fatigueTurn struct {
	ctx       context.Context
	own, next chan *fatigue
}

// count fills in what the rows' users are tired by. It gives false where ctx
// ended first.
func (t *fatigueTurn) count(rows []row) bool {
	var f *fatigue
	select {
	case f = <-t.own:
	case <-t.ctx.Done():
		return false
	}
	for i := range rows {
		rows[i].tired = f.see(rows[i].user(), uint32(rows[i].hour.index))
	}
	t.next <- f // has room: there is one fatigue
	return true
}

// fatigueTurns gives each goroutine its turn at counting, in the order of the
// blocks; nils without fatigue.
func fatigueTurns(ctx context.Context, o Options, threads int) []*fatigueTurn {
	turns := make([]*fatigueTurn, threads)
	if !o.Fatigue {
		return turns
	}
	hands := make([]chan *fatigue, threads)
	for t := range hands {
		hands[t] = make(chan *fatigue, 1)
	}
	for t := range turns {
		turns[t] = &fatigueTurn{ctx, hands[t], hands[(t+1)%threads]}
	}
	hands[0] <- newFatigue(o.Rows)
	return turns
}
