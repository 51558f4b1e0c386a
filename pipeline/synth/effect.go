package synth

// Effects are fixed-point logits (one = 1.0). The effect of a value is a hash
// of its column and index, added up from four 16-bit parts: near enough
// normal, never beyond 3.5 standard deviations, and the same for every seed,
// so that a model trained on one seed's rows meets the same truth in another's.

// halfSum is the mean of the sum of four 16-bit parts, sumDeviation its
// standard deviation: 65,536 * sqrt(4/12).
const (
	halfSum      = 2 * 65535
	sumDeviation = 37837
)

// sigma is the spread of a column's effects in thousandths of a logit.
type sigma int64

// effect gives the effect that belongs to the hash h.
func (s sigma) effect(h uint64) int32 {
	sum := int64(h&0xffff+h>>16&0xffff+h>>32&0xffff+h>>48) - halfSum
	return int32(sum * (int64(s) * one / 1000) / sumDeviation)
}

// logits turns thousandths of a logit into fixed point.
func logits(thousandths int64) int32 { return int32(thousandths * one / 1000) }

// Salts keep the hashes of different columns and uses apart.
const (
	saltSite = iota + 1
	saltSiteDomain
	saltSiteCategory
	saltSiteShape
	saltApp
	saltAppDomain
	saltAppCategory
	saltAppShape
	saltModel
	saltModelKind
	saltDeviceID
	saltDeviceIP
	saltHome
	saltCreative
	saltCampaign
	saltCampaignShape
	saltC19
	saltC20
	saltC21
	saltDrift
	saltDay
	saltPair // and the five after it

	saltFatigue = saltPair + 6
)

// Spreads of the single columns' effects.
const (
	sigmaSite         sigma = 410
	sigmaSiteDomain   sigma = 220
	sigmaSiteCategory sigma = 240
	sigmaApp          sigma = 425
	sigmaAppDomain    sigma = 220
	sigmaAppCategory  sigma = 240
	sigmaModel        sigma = 270
	sigmaDeviceID     sigma = 270
	sigmaDeviceIP     sigma = 200
	sigmaCreative     sigma = 330
	sigmaCampaign     sigma = 390
	sigmaC19          sigma = 200
	sigmaC20          sigma = 270
	sigmaC21          sigma = 260
	sigmaDay          sigma = 40 // of the whole traffic, by day
	// Steps of the daily random walks.
	sigmaCampaignWalk  sigma = 75
	sigmaPublisherWalk sigma = 60
)

// Pairs gives the pairs of columns that carry interactions in the truth. Each
// pair of values has an effect of its own beside those of its columns.
func Pairs() [][2]string {
	out := make([][2]string, len(pairs))
	for i, p := range pairs {
		out[i] = p.columns
	}
	return out
}

var pairs = [...]struct {
	columns [2]string
	sigma   sigma
}{
	{[2]string{"banner_pos", "device_model"}, 450},
	{[2]string{"site_category", "C14"}, 345},
	{[2]string{"C20", "C21"}, 365},
	{[2]string{"app_id", "C18"}, 600},
	{[2]string{"device_model", "C19"}, 345},
	{[2]string{"app_domain", "C20"}, 700},
}

// pairEffects adds up the interactions of a row.
func (r *row) pairEffects() int32 {
	var sum int32
	for i := range pairs {
		sum += r.pairEffect(i)
	}
	return sum
}

// pairEffect gives the interaction of pair i. Rows without an app, or
// without an app's domain, have none of the pairs with it: a few huge cells
// would otherwise decide how much those count.
func (r *row) pairEffect(i int) int32 {
	var a, b uint32
	switch i {
	case 0:
		a, b = uint32(r.banner), r.model
	case 1:
		a, b = uint32(r.siteCategory), r.creative
	case 2:
		a, b = r.c20, r.campaign.c21
	case 3:
		if r.app == none {
			return 0
		}
		a, b = r.app, uint32(r.campaign.c18)
	case 4:
		a, b = r.model, r.c19
	case 5:
		if r.appDomain == 0 {
			return 0
		}
		a, b = r.appDomain, r.c20
	}
	return pairs[i].sigma.effect(hash2(saltPair+uint64(i), uint64(a), uint64(b)))
}

// walk gives the daily random walk of value k, centred on the fifth day.
func walk(salt, k uint64, step sigma) [days]int32 {
	var w [days]int32
	for d := 1; d < days; d++ {
		w[d] = w[d-1] + step.effect(hash2(saltDrift, salt<<32|k, uint64(d)))
	}
	centre := w[days/2]
	for d := range w {
		w[d] -= centre
	}
	return w
}

// hourEffects gives the effect of each hour of the day, in thousandths.
var hourEffects = [24]int64{
	40, 90, 60, 0, -40, -60, -70, -40, -50, -60, -40, 0,
	20, 40, 60, 80, 70, 50, 30, 0, -30, -50, -30, 10,
}

// Effects of the columns with a few values each, in thousandths.
var (
	bannerEffects = [8]int64{0, 150, -300, 0, -400, -600, 0, 700}
	connEffects   = [8]int64{2: -150, 3: -450, 5: -400}
	c18Effects    = [4]int64{0, -400, 650, -200}
)

const (
	appEffect       = -250 // in-app against web
	featurePhone    = 250  // C1 1002
	tabletEffect    = -350 // C1 1010
	largeBanner     = 800  // 300x250
	leaderboard     = -700 // 728x90
	interceptLogits = -2170
)
