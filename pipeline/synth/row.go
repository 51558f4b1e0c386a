package synth

import "strconv"

// row is one impression as indices into the world.
type row struct {
	id         uint64
	hour       *hour
	inApp      bool
	site       uint32 // none in an app
	siteDomain uint32 // none in an app
	app        uint32 // none on the web
	appDomain  uint32 // 0 on the web and in some apps

	siteCategory uint8 // 0 in an app
	appCategory  uint8 // 0 on the web and in some apps

	deviceID   uint32 // none where it is missing
	ip         uint32
	model      uint32
	c1         uint16
	deviceType uint8
	connType   uint8
	banner     uint8

	creative uint32
	campaign *campaign
	c19, c20 uint32

	luck  uint64 // decides the click
	tired int32  // the effect of what the user saw before; 0 without fatigue
	p     uint32 // true click probability in units of 2**-32
	click bool
}

// draw draws the impression and what will decide whether it is clicked.
func (w *world) draw(r *row, g *rng) {
	r.ip = w.ipDraw.draw(g.next(), g.next())
	w.publisher(r, g)
	r.deviceID = none
	w.device(r, g)
	w.ad(r, r.hour.day, g)
	r.luck = g.next()
}

// decide gives the row its click probability and its click.
func (w *world) decide(r *row) {
	r.p = w.probability(w.mainEffects(r) + w.drift(r) + r.pairEffects() + r.tired)
	r.click = chance(r.luck, r.p)
}

// publisher draws where the impression appeared: in an app or on a site. About
// half of the impressions of a home address are where its people mostly are.
func (w *world) publisher(r *row, g *rng) {
	r.site, r.siteDomain, r.siteCategory = none, none, 0
	r.app, r.appDomain, r.appCategory = none, 0, 0
	channel, u := g.next(), g.next()
	if r.ip >= gateways && chance(g.next(), shareUsual) {
		channel, u = hash2(saltHome, 5, uint64(r.ip)), hash2(saltHome, 6, uint64(r.ip))
	}
	r.inApp = chance(channel, shareApp)
	if r.inApp {
		r.app = w.appDraw.draw(u)
		a := &w.apps[r.app]
		r.appDomain, r.appCategory = a.domain, a.category
		return
	}
	r.site = w.siteDraw.draw(u)
	s := &w.sites[r.site]
	r.siteDomain, r.siteCategory = s.domain, s.category
	if s.portal != none {
		if u := g.next(); chance(u, sharePortal) {
			r.siteDomain = s.portal + below(u, portalDomains)
		}
	}
}

var (
	shareUsual  = share(.5)
	sharePortal = share(.3)
)

// mainEffects adds up what single columns contribute to the logit.
func (w *world) mainEffects(r *row) int32 {
	sum := logits(interceptLogits) + r.hour.effect + w.deviceEffects(r)
	if r.inApp {
		sum += logits(appEffect) + w.apps[r.app].effect
	} else {
		sum += w.sites[r.site].effect + w.siteDomains[r.siteDomain].effect
	}
	return sum + w.creatives[r.creative].effect + r.campaign.effect +
		w.c19[r.c19].effect + w.c20[r.c20].effect
}

func (w *world) deviceEffects(r *row) int32 {
	sum := w.userEffects(r) + w.models[r.model].effect +
		logits(bannerEffects[r.banner]+connEffects[r.connType])
	switch r.c1 {
	case 1002:
		sum += logits(featurePhone)
	case 1010:
		sum += logits(tabletEffect)
	}
	return sum
}

// userEffects are those of the address and the device, which no model can
// learn but of the busiest.
func (w *world) userEffects(r *row) int32 {
	sum := sigmaDeviceIP.effect(hash2(saltDeviceIP, 0, uint64(r.ip)))
	if r.deviceID != none {
		sum += sigmaDeviceID.effect(hash2(saltDeviceID, 0, uint64(r.deviceID)))
	}
	return sum
}

// drift gives how far the effects of the campaign and of the publisher have
// wandered on the row's day.
func (w *world) drift(r *row) int32 {
	day := r.hour.day
	if r.inApp {
		return r.campaign.walk[day] + w.apps[r.app].walk[day]
	}
	return r.campaign.walk[day] + w.sites[r.site].walk[day]
}

const (
	headerStart = "id,"
	headerClick = "click,"
	headerRest  = "hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,app_category," +
		"device_id,device_ip,device_model,device_type,device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21\n"
	truthHeader = "id,probability\n"
)

// append writes the row as a line of CSV.
func (w *world) append(b []byte, r *row, click bool) []byte {
	b = strconv.AppendUint(b, r.id, 10)
	if click {
		b = append(b, ',', '0'+pick(r.click, 1, 0))
	}
	b = append(append(b, ','), r.hour.text...)
	b = append(b, ',', '1', '0', byte('0'+r.c1/10%10), byte('0'+r.c1%10), ',', '0'+r.banner, ',')
	b = w.appendPublisher(b, r)
	if r.deviceID == none {
		b = append(b, noDeviceID...)
	} else {
		b = appendHex(b, saltDeviceID, r.deviceID)
	}
	b = appendHex(append(b, ','), saltDeviceIP, r.ip)
	b = append(append(b, ','), w.models[r.model].text...)
	b = append(b, ',', '0'+r.deviceType, ',', '0'+r.connType, ',')
	b = append(b, w.creatives[r.creative].text...)
	b = append(append(b, w.c19[r.c19].text...), ',')
	b = append(append(b, w.c20[r.c20].text...), ',')
	return append(append(b, r.campaign.text21...), '\n')
}

func (w *world) appendPublisher(b []byte, r *row) []byte {
	if r.inApp {
		a := &w.apps[r.app]
		b = append(b, noSite+","+noSiteDomain+","+noSiteCategory+","...)
		b = append(append(b, a.text...), ',')
		b = append(append(b, w.appDomains[r.appDomain].text...), ',')
		return append(append(b, w.appCategory[a.category].text...), ',')
	}
	s := &w.sites[r.site]
	b = append(append(b, s.text...), ',')
	b = append(append(b, w.siteDomains[r.siteDomain].text...), ',')
	b = append(append(b, w.siteCategory[s.category].text...), ',')
	return append(b, noApp+","+noAppDomain+","+noAppCategory+","...)
}

func appendHex(b []byte, salt uint64, k uint32) []byte {
	x := spell(salt, k)
	return append(b, x[:]...)
}

// appendTruth writes the row's id and true probability. A 32-bit fraction is
// exact as a float64, so its shortest form is the same everywhere.
func appendTruth(b []byte, r *row) []byte {
	b = append(strconv.AppendUint(b, r.id, 10), ',')
	return append(strconv.AppendFloat(b, float64(r.p)/4294967296, 'g', -1, 64), '\n')
}
