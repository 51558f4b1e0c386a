package synth

// site is a web site. A portal has further domains beside its own.
type site struct {
	text     string
	category uint8
	banner1  bool   // its place for banners is mostly 1, not 0
	domain   uint32 // its own
	portal   uint32 // first of its further domains, none where it has none
	effect   int32
	walk     [days]int32
}

// app is a mobile application.
type app struct {
	text     string
	category uint8
	domain   uint32
	effect   int32
	walk     [days]int32
}

// Laws of the publishers, fitted to the distinct counts among 1,000, 5,000 and
// 23,299 rows of Avazu's and in all 40.4 million.
var (
	siteLaw = zipf{
		head: []float64{.265, .07, .05, .034, .032, .026, .018, .016, .015, .012},
		q:    23.946, s: 1.925, n: 4740,
	}
	appLaw = zipf{
		head: []float64{.076, .059, .048, .047, .046, .034, .03, .028, .026, .022},
		q:    71.18, s: 2.4252, n: 8550,
	}
	siteCategoryLaw = zipf{head: []float64{.66, .16, .1, .02, .012, .01, .008, .006, .005}, q: 2, s: 1.3, n: 25}
	appCategoryLaw  = zipf{head: []float64{.637, .145, .084, .066, .03, .013, .008}, q: 2, s: 1.2, n: 36}
)

// portalDomains is the number of further domains of a portal.
const portalDomains = 15

// walkers is the number of popular sites, and of apps, whose effects wander
// from day to day.
const walkers = 512

func (w *world) makeSites() {
	w.siteCategory = []valueEffect{{text: noSiteCategory}}
	for k := range siteCategoryLaw.n {
		w.siteCategory = append(w.siteCategory, value(saltSiteCategory, uint32(k), sigmaSiteCategory))
	}
	weights := siteLaw.weights()
	w.siteDraw = newAlias(weights)
	categories := newAlias(siteCategoryLaw.weights())
	var shared []uint32 // domain of each site so far
	for k := range siteLaw.n {
		h := hash2(saltSiteShape, 0, uint64(k))
		s := site{
			text:     spelled(saltSite, uint32(k)),
			category: uint8(1 + categoryOf(k, saltSiteShape, categories)),
			banner1:  h%100 < 47,
			portal:   none,
			effect:   sigmaSite.effect(hash2(saltSite, 0, uint64(k))),
		}
		s.category, s.banner1 = firstSites(k, s)
		if k < walkers {
			s.walk = walk(saltSite, uint64(k), sigmaPublisherWalk)
		}
		if k >= 10 && h>>8%100 < 28 {
			s.domain = shared[h>>16%uint64(k)]
		} else {
			s.domain = w.newSiteDomain()
		}
		shared = append(shared, s.domain)
		if k >= 10 && h>>40%16 == 0 {
			s.portal = uint32(len(w.siteDomains))
			for range portalDomains {
				w.newSiteDomain()
			}
		}
		s.effect += w.siteCategory[s.category].effect
		w.sites = append(w.sites, s)
	}
}

// categoryOf draws the category of publisher k; each category gets a publisher
// among the first few thousand.
func categoryOf(k int, salt uint64, categories alias) int {
	if c := (k - 600) / 100; k >= 600 && k%100 == 0 && c < len(categories) {
		return c
	}
	return int(categories.draw(hash2(salt, 1, uint64(k))))
}

// firstSites settles the category and the place of the largest site, which by
// itself would decide the shares of both, and leaves those of the others.
func firstSites(k int, s site) (category uint8, banner1 bool) {
	if k == 0 {
		return 2, false
	}
	return s.category, s.banner1 || k == 1
}

func (w *world) newSiteDomain() uint32 {
	k := uint32(len(w.siteDomains))
	w.siteDomains = append(w.siteDomains, value(saltSiteDomain, k, sigmaSiteDomain))
	return k
}

func (w *world) makeApps() {
	w.appCategory = []valueEffect{{text: noAppCategory}}
	for k := 1; k < appCategoryLaw.n; k++ {
		w.appCategory = append(w.appCategory, value(saltAppCategory, uint32(k), sigmaAppCategory))
	}
	w.appDomains = []valueEffect{{text: noAppDomain}}
	w.appDraw = newAlias(appLaw.weights())
	categories := newAlias(appCategoryLaw.weights())
	var shared []uint32
	for k := range appLaw.n {
		h := hash2(saltAppShape, 0, uint64(k))
		a := app{
			text:     spelled(saltApp, uint32(k)),
			category: uint8((1 + categoryOf(k, saltAppShape, categories)) % appCategoryLaw.n),
			domain:   w.appDomain(k, h, shared),
			effect:   sigmaApp.effect(hash2(saltApp, 0, uint64(k))),
		}
		if k < walkers {
			a.walk = walk(saltApp, uint64(k), sigmaPublisherWalk)
		}
		shared = append(shared, a.domain)
		a.effect += w.appCategory[a.category].effect + w.appDomains[a.domain].effect
		w.apps = append(w.apps, a)
	}
}

// appDomain chooses the domain of app k: one common domain for many, none for
// some, a new one for few, else that of an earlier app.
func (w *world) appDomain(k int, h uint64, shared []uint32) uint32 {
	const common = 1
	switch p := h % 1000; {
	case k == 0 || p < 65 || k < 10 && p < 500:
		d := uint32(len(w.appDomains))
		w.appDomains = append(w.appDomains, value(saltAppDomain, d, sigmaAppDomain))
		return d
	case p < 620:
		return common
	case p < 760:
		return 0
	default:
		return shared[h>>16%uint64(k)]
	}
}

// value makes value k of a column.
func value(salt uint64, k uint32, s sigma) valueEffect {
	return valueEffect{text: spelled(salt, k), effect: s.effect(hash2(salt, 0, uint64(k)))}
}
