package synth

import "strconv"

// slot is a place in the order of popularity of creatives. Some are taken by
// another creative every few days, so that values appear which were not there
// before.
type slot [segments]uint32

// segments of the ten days: days 0 to 2, 3 to 6 and 7 to 9.
const segments = 3

var segmentOf = [days]int{0, 0, 0, 1, 1, 1, 1, 2, 2, 2}

// creative is an advertisement: C14, and all that follows from it.
type creative struct {
	campaign uint32
	size     uint8
	text     string // "C14,C15,C16,C17,C18," as a row has them
	effect   int32
}

// campaign is C17, and all that follows from it.
type campaign struct {
	number uint32 // C17
	c18    uint8
	c19    uint32 // index of the usual one
	c21    uint32 // index
	effect int32
	text21 string
	walk   [days]int32
}

var (
	slotLaw = zipf{
		head: []float64{.053, .045, .026, .025, .02, .019, .0185, .018, .0175, .0175, .017, .016},
		q:    165.204, s: 4.666, n: 2140,
	}
	c19Law = zipf{head: []float64{.38, .16, .066, .03, .025, .023, .022}, q: 8, s: 3, n: 68}
	c20Law = zipf{head: []float64{.12, .087, .072, .07, .06, .057, .056, .04, .034, .029}, q: 2332, s: 95.2, n: 171}
)

// steadySlots is the number of the most popular slots that never change hands.
const steadySlots = 24

// sizes of creatives, C15 by C16; the first is by far the most common.
var sizes = [...][2]int{
	{320, 50},
	{300, 250},
	{216, 36},
	{300, 50},
	{320, 480},
	{728, 90},
	{768, 1024},
	{1024, 768},
	{480, 320},
	{120, 20},
}

var sizeEffects = [len(sizes)]int64{1: largeBanner, 3: 100, 4: 200, 5: leaderboard, 6: 300, 7: 300}

func (w *world) makeAds() {
	w.makeCampaigns()
	w.makeColumnsC19C20()
	weights := slotLaw.weights()
	for ch := range w.creativeDraw {
		byChannel := make([]uint64, len(weights))
		for k, n := range weights {
			c18 := w.campaigns[w.creatives[w.slots[k][0]].campaign].c18
			byChannel[k] = n / 100 * c18ByChannel[ch][c18]
		}
		w.creativeDraw[ch] = newAlias(byChannel)
	}
}

// c18ByChannel is how much more or less often than on average an advertisement
// of each C18 is shown on the web and in apps, in hundredths.
var c18ByChannel = [2][4]uint64{{124, 28, 116, 73}, {60, 218, 73, 145}}

// restaurant puts customers to tables by the Chinese restaurant process
// (Pitman, 2006, section 3.2): a new one with a chance that falls with the
// customers, else where an earlier customer sits.
type restaurant struct {
	theta, alpha uint64   // in thousandths
	limit        int      // largest number of tables
	of           []uint32 // table of each customer
	tables       int
}

// seat gives the table of the next customer by the random bits h, and whether
// the table is new.
func (r *restaurant) seat(h uint64) (table uint32, fresh bool) {
	n := uint64(len(r.of))
	fresh = n == 0 || r.tables < r.limit && h%(n*1000+r.theta) < r.theta+r.alpha*uint64(r.tables)
	if fresh {
		table = uint32(r.tables)
		r.tables++
	} else {
		table = r.of[h>>20%n]
	}
	r.of = append(r.of, table)
	return table, fresh
}

// makeCampaigns makes the slots, creatives and campaigns. Creatives share a
// campaign, and campaigns a C21, so that C17 and C21 grow with C14 as they do
// in the data.
func (w *world) makeCampaigns() {
	c17 := restaurant{theta: 14000, alpha: 580, limit: slotLaw.n}
	c21 := restaurant{theta: 6000, alpha: 420, limit: 60}
	var c18 c18Chooser
	for k, weight := range slotLaw.weights() {
		id, fresh := c17.seat(hash2(saltCampaignShape, 0, uint64(k)))
		if fresh {
			value, _ := c21.seat(hash2(saltCampaignShape, 1, uint64(id)))
			w.campaigns = append(w.campaigns, newCampaign(uint64(id), value))
			w.campaigns[id].c18 = c18.choose(weight)
		}
		c18.add(w.campaigns[id].c18, weight)
		w.addSlot(k, id)
	}
	w.numberAds()
}

func newCampaign(g uint64, c21 uint32) campaign {
	return campaign{
		c21:    c21,
		effect: sigmaCampaign.effect(hash2(saltCampaign, 0, g)) + sigmaC21.effect(hash2(saltC21, 0, uint64(c21))),
		text21: strconv.Itoa(13 + int(c21)*37%60*4 + int(c21)%3),
		walk:   walk(saltCampaign, g, sigmaCampaignWalk),
	}
}

// c18Chooser gives campaigns their C18 so that the shares of traffic come near
// those wanted: each new campaign gets the value that lacks most.
type c18Chooser struct {
	got [4]uint64
	all uint64
}

// c18Shares are in thousandths.
var c18Shares = [4]uint64{426, 25, 145, 404}

// choose gives the C18 of a new campaign whose first creative has this weight.
func (c *c18Chooser) choose(weight uint64) uint8 {
	best, most := uint8(0), int64(0)
	for v, want := range c18Shares {
		if lack := int64((c.all+weight)/1000*want) - int64(c.got[v]); lack > most {
			best, most = uint8(v), lack
		}
	}
	return best
}

// add counts the weight of a creative.
func (c *c18Chooser) add(v uint8, weight uint64) {
	c.all += weight
	c.got[v] += weight
}

// addSlot adds the creative of a slot, or those that take turns in it.
func (w *world) addSlot(k int, campaign uint32) {
	turns := k >= steadySlots && hash2(saltCampaignShape, 2, uint64(k))%8 == 0
	var s slot
	for i := range s {
		if i == 0 || turns {
			w.creatives = append(w.creatives, creative{campaign: campaign, size: sizeOf(k)})
		}
		s[i] = uint32(len(w.creatives) - 1)
	}
	w.slots = append(w.slots, s)
}

// sizeOf gives the size of the creatives of slot k.
func sizeOf(k int) uint8 {
	switch h := hash2(saltCampaignShape, 3, uint64(k)) % 1000; {
	case k == 16:
		return 1
	case k < 30 || h >= 83:
		return 0
	case h < 34:
		return 1
	case h < 50:
		return 2
	case h < 62:
		return 3
	case h < 70:
		return 4
	case h < 77:
		return 5
	default: // the rare ones
		return uint8(6 + h%4)
	}
}

// numberAds gives C17 and C14 their numbers: both rise together, as in the
// data, and neither follows popularity.
func (w *world) numberAds() {
	n := uint32(len(w.campaigns))
	members := make([][]uint32, n)
	for i, c := range w.creatives {
		members[c.campaign] = append(members[c.campaign], uint32(i))
	}
	byRank := make([]uint32, n)
	for g := range n {
		byRank[rank(g, n)] = g
	}
	c14 := 375
	for r, g := range byRank {
		w.campaigns[g].number = uint32(112 + r*6 + int(hash2(saltCampaignShape, 4, uint64(g))%6))
		for _, i := range members[g] {
			c14 += 1 + int(hash2(saltCampaignShape, 5, uint64(i))%16)
			w.finishCreative(i, c14)
		}
	}
}

// rank gives number g of n a place of its own, scattered.
func rank(g, n uint32) uint32 { return uint32(uint64(g) * 1000003 % uint64(n)) }

func (w *world) finishCreative(i uint32, c14 int) {
	c := &w.creatives[i]
	g := &w.campaigns[c.campaign]
	b := strconv.AppendInt(nil, int64(c14), 10)
	for _, v := range []int{sizes[c.size][0], sizes[c.size][1], int(g.number), int(g.c18)} {
		b = strconv.AppendInt(append(b, ','), int64(v), 10)
	}
	c.text = string(append(b, ','))
	c.effect = sigmaCreative.effect(hash2(saltCreative, 0, uint64(i))) +
		logits(sizeEffects[c.size]+c18Effects[g.c18])
}

// makeColumnsC19C20 makes the values of C19 (sums of powers of two, as in the
// data) and C20, and gives each campaign its usual C19.
func (w *world) makeColumnsC19C20() {
	low := [...]int{3, 7, 11, 1, 9, 15}
	for k := range c19Law.n {
		n := 32 + k/len(low)*128 + low[k%len(low)]
		w.c19 = append(w.c19, valueEffect{strconv.Itoa(n), sigmaC19.effect(hash2(saltC19, 0, uint64(k)))})
	}
	w.c19Draw = newAlias(c19Law.weights())
	for g := range w.campaigns {
		w.campaigns[g].c19 = w.c19Draw.draw(hash2(saltC19, 1, uint64(g)))
	}
	w.c20 = []valueEffect{{"-1", sigmaC20.effect(hash2(saltC20, 0, 0))}}
	for k := 1; k <= c20Law.n; k++ {
		n := 100000 + int(rank(uint32(k-1), 251))
		w.c20 = append(w.c20, valueEffect{strconv.Itoa(n), sigmaC20.effect(hash2(saltC20, 0, uint64(k)))})
	}
	w.c20Draw = newAlias(c20Law.weights())
}

// ad draws the advertisement of a row.
func (w *world) ad(r *row, day int, g *rng) {
	ch := 0
	if r.inApp {
		ch = 1
	}
	r.creative = w.slots[w.creativeDraw[ch].draw(g.next())][segmentOf[day]]
	r.campaign = &w.campaigns[w.creatives[r.creative].campaign]
	r.c19 = r.campaign.c19
	u := g.next()
	if chance(u, shareOtherC19) {
		r.c19 = w.c19Draw.draw(g.next())
	}
	r.c20 = 0
	if u>>32 >= uint64(shareNoC20) {
		r.c20 = 1 + w.c20Draw.draw(g.next())
		if r.inApp && r.c20 <= 32 { // other values are common in apps
			r.c20 = 33 - r.c20
		}
	}
}

var (
	shareOtherC19 = share(.05)
	shareNoC20    = share(.515)
)
