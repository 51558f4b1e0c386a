package synth

// kinds of device: they decide device_type and C1, and which models occur.
const (
	phone    = iota
	featured // device_type 0, C1 1002: always with a device_id
	tablet   // device_type 4 and 5, C1 1010: in apps only
	kinds
)

// Laws of the devices, fitted like those of the publishers. Addresses and
// devices keep growing with the rows: 85 % of 23,299 rows have an address of
// their own, and 40.4 million rows have 6.7 million.
var (
	modelLaw = zipf{
		head: []float64{.057, .036, .035, .019, .018, .018, .017, .015, .014, .014},
		q:    155.827, s: 2.2736, n: 8251,
	}
	ipLaw = zipf{q: 2.591, s: .8371, n: 8482479}
	idLaw = zipf{q: 0, s: .7828, n: 4300000}
)

// gateways is the number of busiest addresses: gateways of networks, behind
// which any model may be. A smaller address is somebody's home.
const gateways = 2000

func (w *world) makeDevices() {
	weights := modelLaw.weights()
	var byKind [kinds][]uint64
	for k, n := range weights {
		w.models = append(w.models, value(saltModel, uint32(k), sigmaModel))
		own := kindOfModel(k)
		for kind := range byKind {
			share := n / 64
			if kind == own {
				share = n
			}
			byKind[kind] = append(byKind[kind], 1+share)
		}
	}
	for kind := range byKind {
		w.modelDraw[kind] = newAlias(byKind[kind])
	}
	w.ipDraw = newTail(ipLaw)
	w.idDraw = newTail(idLaw)
}

// kindOfModel gives the kind that a model mostly is; the best known are phones.
func kindOfModel(k int) int {
	switch h := hash2(saltModelKind, 0, uint64(k)) % 100; {
	case k < 10 || h >= 14:
		return phone
	case h < 9:
		return featured
	default:
		return tablet
	}
}

// device draws everything about the device of a row.
func (w *world) device(r *row, g *rng) {
	kind := w.deviceKind(r, g)
	home := none
	if kind == featured || r.inApp && kind == phone && chance(g.next(), share39) {
		r.deviceID = w.idDraw.draw(g.next(), g.next())*kinds + uint32(kind)
		home = r.deviceID
	}
	u := g.next()
	if home != none && u>>63 == 0 { // a known device is at home half of the time
		r.ip = w.ipDraw.draw(hash2(saltHome, 7, uint64(home)), hash2(saltHome, 8, uint64(home)))
	}
	if home == none && r.ip >= gateways && chance(u, shareSame) {
		home = r.ip
	}
	if home == none {
		r.model = w.modelDraw[kind].draw(g.next())
	} else { // whose device it is decides the model
		r.model = w.modelDraw[kind].draw(hash2(saltHome, uint64(kind), uint64(home)))
	}
	r.banner = w.bannerPos(r, g.next())
	r.connType = connType(r, kind, g.next())
}

// deviceKind draws the kind of device, device_type and C1.
func (w *world) deviceKind(r *row, g *rng) int {
	u := g.next()
	p := uint32(u)
	switch {
	case r.inApp && p < shareAppTablet:
		r.deviceType, r.c1 = 4, 1010
		if chance(g.next(), share12) {
			r.deviceType = 5
		}
		return tablet
	case r.inApp && p >= ^shareAppFeatured, !r.inApp && p >= ^shareWebFeatured:
		r.deviceType, r.c1 = 0, 1002
		return featured
	}
	r.deviceType, r.c1 = 1, phoneC1(r.inApp, uint32(u>>32))
	if chance(g.next(), shareOdd) {
		r.deviceType = 2
	}
	return phone
}

// phoneC1 gives the C1 of a phone: 1005 but for a few.
func phoneC1(inApp bool, p uint32) uint16 {
	switch {
	case p < share0023:
		return 1012
	case !inApp || p >= share0063:
		return 1005
	case p < share0045:
		return 1007
	case p < share0061:
		return 1008
	default:
		return 1001
	}
}

// bannerPos gives the banner's place: of the site on the web; by the device in
// apps.
func (w *world) bannerPos(r *row, u uint64) uint8 {
	p := uint32(u)
	switch {
	case r.c1 == 1008:
		return 5
	case r.c1 == 1010 && p < share0170:
		return 7
	case r.c1 == 1010:
		return 1
	case r.inApp:
		return pick(p < share0090, 1, 0)
	case p >= ^share0011: // 2 mostly, 4 and 3 rarely
		q := uint32(u>>32) >> 16
		return pick(q < 42000, 2, pick(q < 62000, 4, 3))
	case p < share0300:
		return pick(w.sites[r.site].banner1, 0, 1)
	default:
		return pick(w.sites[r.site].banner1, 1, 0)
	}
}

// connType draws the way the device is connected.
func connType(r *row, kind int, u uint64) uint8 {
	p := uint32(u)
	switch {
	case kind == featured:
		return 0
	case !r.inApp:
		return pick(p < share0495, 2, 0)
	case kind == tablet:
		return pick(p < share1200, 2, pick(p < share2300, 3, 0))
	case p < share1580:
		return 2
	case p < share2070:
		return 3
	case p < share2103:
		return 5
	default:
		return 0
	}
}

func pick(c bool, a, b uint8) uint8 {
	if c {
		return a
	}
	return b
}

// Shares in units of 2**-32.
var (
	shareApp         = share(.372)
	shareAppTablet   = share(.0641)
	shareAppFeatured = share(.0241)
	shareWebFeatured = share(.0583)
	shareOdd         = share(.000001)
	share39          = share(.39)
	shareSame        = share(.7)
	share12          = share(.12)
	share0023        = share(.0023)
	share0045        = share(.0045)
	share0061        = share(.0061)
	share0063        = share(.0063)
	share0011        = share(.0011)
	share0090        = share(.009)
	share0170        = share(.017)
	share0300        = share(.03)
	share0495        = share(.0495)
	share1200        = share(.12)
	share2300        = share(.23)
	share1580        = share(.158)
	share2070        = share(.207)
	share2103        = share(.2103)
)
