package synth

import "sync"

// days and hours that the rows cover, from firstDay at midnight.
const (
	days     = 10
	hours    = 24 * days
	firstDay = 21 // of October 2014
)

// none is the index of a missing value.
const none = ^uint32(0)

// Spellings of missing values: public facts of Avazu's data, hashed like any
// other value there. An impression is in an app or on a site, never both.
const (
	noSite         = "85f751fd"
	noSiteDomain   = "c4e18dd6"
	noSiteCategory = "50e219e0"
	noApp          = "ecad2386"
	noAppDomain    = "7801e8d9"
	noAppCategory  = "07d7df22"
	noDeviceID     = "a99f214a"
)

// world is what all rows of all seeds have in common: the values of each
// column, how often they occur, and what they do to the click probability. It
// is made once and never changes.
type world struct {
	sigmoid *[sigmoidKnots]uint32

	sites        []site
	siteDomains  []valueEffect
	siteCategory []valueEffect // 0 is the missing one
	siteDraw     alias

	apps        []app
	appDomains  []valueEffect // 0 is the missing one
	appCategory []valueEffect // 0 is the missing one
	appDraw     alias

	models    []valueEffect
	modelDraw [kinds]alias
	ipDraw    tail
	idDraw    tail

	slots        []slot
	creatives    []creative
	campaigns    []campaign
	creativeDraw [2]alias // web, app
	c19          []valueEffect
	c19Draw      alias
	c20          []valueEffect // 0 is -1
	c20Draw      alias

	hour [hours]hour
}

// valueEffect is a value's spelling and its effect.
type valueEffect struct {
	text   string
	effect int32
}

// hour is one of the hours that the rows cover.
type hour struct {
	index  uint8  // from 0
	text   string // YYMMDDHH
	day    int
	effect int32
}

var theWorld = sync.OnceValue(func() *world {
	w := &world{sigmoid: newSigmoid()}
	w.makeSites()
	w.makeApps()
	w.makeDevices()
	w.makeAds()
	w.makeHours()
	return w
})

// spell gives the eight hexadecimal digits of value k of a column.
func spell(salt uint64, k uint32) [8]byte {
	x := mix32(k ^ uint32(mix(salt)))
	var b [8]byte
	for i := range b {
		b[i] = hexDigits[x>>(28-4*i)&15]
	}
	return b
}

const hexDigits = "0123456789abcdef"

func spelled(salt uint64, k uint32) string {
	b := spell(salt, k)
	return string(b[:])
}

func (w *world) makeHours() {
	for i := range w.hour {
		d, h := i/24, i%24
		b := []byte("141000xx")
		b[4], b[5] = byte('0'+(firstDay+d)/10), byte('0'+(firstDay+d)%10)
		b[6], b[7] = byte('0'+h/10), byte('0'+h%10)
		w.hour[i] = hour{
			index:  uint8(i),
			text:   string(b),
			day:    d,
			effect: logits(hourEffects[h]) + sigmaDay.effect(hash2(saltDay, 0, uint64(d))),
		}
	}
}

// dayWeights and hourWeights give the rhythm of the traffic: impressions of
// each day and of each hour of the day, in thousandths of their mean.
var (
	dayWeights  = [days]uint64{1020, 1320, 960, 830, 830, 950, 800, 1310, 950, 1030}
	hourWeights = [24]uint64{
		490, 560, 720, 810, 1140, 1260, 1250, 1290, 1380, 1490, 1390, 1270,
		1190, 1350, 1290, 1260, 1230, 1190, 910, 700, 560, 500, 460, 410,
	}
)

// hourEnds gives, for each hour, the number of rows up to its end, of n.
func hourEnds(n int64) [hours]int64 {
	var ends [hours]int64
	var total, sum uint64
	for i := range ends {
		total += dayWeights[i/24] * hourWeights[i%24]
	}
	for i := range ends {
		sum += dayWeights[i/24] * hourWeights[i%24]
		ends[i] = int64(mulDiv(uint64(n), sum, total))
	}
	return ends
}
