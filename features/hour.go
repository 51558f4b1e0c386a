package features

import "strconv"

// Hour is a time in whole hours since 1970-01-01 00:00 UTC.
type Hour int32

// ParseHour reads YYMMDDHH (of 2000-2099), YYYY-MM-DD or YYYY-MM-DD HH:MM:SS
// (also with a T between), all UTC; minutes and seconds are checked and dropped.
// ok is false where v is none of them.
func ParseHour(v []byte) (h Hour, ok bool) {
	var year, month, day, hour int
	switch {
	case len(v) == 8 && allDigits(v):
		year, month, day, hour = 2000+two(v[0:]), two(v[2:]), two(v[4:]), two(v[6:])
	case len(v) == 10 || len(v) == 19:
		if v[4] != '-' || v[7] != '-' || !allDigits(v[:4]) || !allDigits(v[5:7]) || !allDigits(v[8:10]) {
			return 0, false
		}
		year, month, day = two(v)*100+two(v[2:]), two(v[5:]), two(v[8:])
		if len(v) == 19 {
			if v[10] != ' ' && v[10] != 'T' || v[13] != ':' || v[16] != ':' ||
				!allDigits(v[11:13]) || !allDigits(v[14:16]) || !allDigits(v[17:19]) || two(v[14:]) > 59 || two(v[17:]) > 59 {
				return 0, false
			}
			hour = two(v[11:])
		}
	default:
		return 0, false
	}
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 {
		return 0, false
	}
	return Hour(daysFromCivil(year, month, day)*24 + hour), true
}

// String gives h as YYMMDDHH, or as YYYY-MM-DD HH:00:00 where the year has no
// such form. ParseHour reads both.
func (h Hour) String() string {
	year, month, day := h.civil()
	pad := func(b []byte, n int) []byte { return append(b, byte('0'+n/10%10), byte('0'+n%10)) }
	if year >= 2000 && year < 2100 {
		return string(pad(pad(pad(pad(nil, year%100), month), day), h.HourTime()))
	}
	b := append(pad(pad(nil, year/100), year%100), '-')
	b = append(pad(b, month), '-')
	b = append(pad(b, day), ' ')
	return string(append(pad(b, h.HourTime()), ":00:00"...))
}

// HourTime gives the hour of the day, 0-23.
func (h Hour) HourTime() int { return int(h) - h.days()*24 }

// Day gives the day of the month, 1-31.
func (h Hour) Day() int { _, _, d := h.civil(); return d }

// Month gives the month, 1-12.
func (h Hour) Month() int { _, m, _ := h.civil(); return m }

// DayOfWeek gives the day of the week as Spark counts: 1 = Sunday.
func (h Hour) DayOfWeek() int {
	// 1970-01-01 was a Thursday, day 5.
	return ((h.days()+4)%7+7)%7 + 1
}

// part gives one part of h.
func (h Hour) part(p Part) int {
	switch p {
	case HourTime:
		return h.HourTime()
	case Day:
		return h.Day()
	case DayOfWeek:
		return h.DayOfWeek()
	default:
		return h.Month()
	}
}

// appendPart appends the decimal text of a part of h.
func (h Hour) appendPart(dst []byte, p Part) []byte {
	return strconv.AppendInt(dst, int64(h.part(p)), 10)
}

func (h Hour) days() int {
	d := int(h) / 24
	if int(h)%24 < 0 {
		d--
	}
	return d
}

// civil gives the date of h in the proleptic Gregorian calendar (Hinnant
// 2014, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
func (h Hour) civil() (year, month, day int) {
	z := h.days() + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = doy - (153*mp+2)/5 + 1
	month = mp + 3
	if month > 12 {
		month -= 12
	}
	year = yoe + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

// daysFromCivil is the inverse of civil, in days since 1970-01-01.
func daysFromCivil(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	yoe := year - era*400
	doy := (153*(month-3)+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

func allDigits(v []byte) bool {
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func two(v []byte) int { return int(v[0]-'0')*10 + int(v[1]-'0') }
