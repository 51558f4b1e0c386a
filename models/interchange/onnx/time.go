package onnx

import (
	"fmt"
	"strconv"

	"ctr/features"
)

// partSizes are the numbers of values of the parts of a time, from 0 on.
var partSizes = map[features.Part]int{features.HourTime: 24, features.Day: 32, features.DayOfWeek: 8, features.Month: 13}

// What a time looks like; features.ParseHour has the same forms. That 29
// February needs a leap year is not asked here.
var (
	hours     = `(?:[01][0-9]|2[0-3])`
	daysOf    = `(?:(?:0[13578]|1[02])%[1]s(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)%[1]s(?:0[1-9]|[12][0-9]|30)|02%[1]s(?:0[1-9]|[12][0-9]))`
	timeForms = fmt.Sprintf(`[0-9]{2}%s%s|[0-9]{4}-%s(?:[ T]%s:[0-5][0-9]:[0-5][0-9])?`,
		fmt.Sprintf(daysOf, ""), hours, fmt.Sprintf(daysOf, "-"), hours)
)

// part gives a part of the time as an int64.
func (b *builder) part(p features.Part) string {
	return b.once("part "+string(p), func() string {
		if p == features.DayOfWeek {
			return b.dayOfWeek()
		}
		c := b.time()
		name := b.spec.Schema.Find(features.Time) + "/" + string(p)
		switch p {
		case features.HourTime:
			return b.op("Where", name, c.short, b.rest(c.number, 100), b.rest(c.dayHour, 24))
		case features.Day:
			return b.op("Where", name, c.short, b.rest(b.quotient(c.number, 100), 100), b.quotient(c.dayHour, 24))
		default:
			return b.op("Where", name, c.short, b.rest(b.quotient(c.number, 1e4), 100), c.month)
		}
	})
}

// quotient and rest divide positive integers.
func (b *builder) quotient(x string, by int64) string {
	return b.op("Div", x+"/"+decimal(by), x, b.integer(by))
}

func (b *builder) rest(x string, by int64) string {
	return b.op("Mod", x+"/mod_"+decimal(by), x, b.integer(by))
}

// partText gives the text of a part of the time.
func (b *builder) partText(p features.Part) string {
	return b.once("text of part "+string(p), func() string {
		table := make([][]byte, partSizes[p])
		for i := range table {
			table[i] = strconv.AppendInt(nil, int64(i), 10)
		}
		return b.gather(0, string(p)+"/text", b.constant(words(string(p)+"/texts", table, len(table))), b.part(p))
	})
}

// clock is the time of each row, taken apart. Where short, a bool, is true it
// was written as YYMMDDHH, which is number; else number is the year, month the
// month, and dayHour 24·day + hour. The last two are 0 where it is short.
type clock struct{ short, number, month, dayHour string }

// time takes the time column apart. A row whose time is none fails a check.
// What stands between the "-" of a time are the year, the month, and the day
// with the hour, which is one of 31 and 2·31·24 texts up to its first ":".
func (b *builder) time() clock {
	if b.clock != nil {
		return *b.clock
	}
	x := b.spec.Schema.Find(features.Time)
	ok := b.matches(timeForms, x+"/valid", x)
	b.checks = append(b.checks, ok)
	x = b.op("Where", x+"/time", ok, x, b.text("some_time", "00010100"))
	list := b.split("-", x, 3)
	none := array("", []int64{0}, 1)
	month := b.encode(x+"/second", list[1], words("", months(), 12), array("", upTo(12, 1), 12), none)
	texts, numbers := dayHours()
	dayHour := b.encode(x+"/third", b.split(":", list[2], 1)[0], words("", texts, len(texts)), array("", numbers, len(numbers)), none)
	b.clock = &clock{
		short: b.op("Equal", x+"/short", month, b.integer(0)), number: b.cast(typeInt64, x+"/first", list[0]),
		month: month, dayHour: dayHour,
	}
	return *b.clock
}

// split gives the first n pieces of texts cut at a mark. What a text has no
// more pieces for is a text that is no piece of any time.
func (b *builder) split(mark, x string, n int) []string {
	pieces := b.name(x + "/pieces")
	b.add(&node{
		op: "StringSplit", inputs: []string{x}, outputs: []string{pieces, b.name(x + "/count")},
		attributes: []attribute{{"delimiter", mark}, {"maxsplit", int64(n)}},
	})
	// There are as many pieces as the text with the most has. The texts
	// themselves follow, so that there are enough.
	whole := b.op("Unsqueeze", x+"/column", x, b.second())
	inputs := []string{pieces}
	for range n {
		inputs = append(inputs, whole)
	}
	table := b.with(node{op: "Concat", attributes: []attribute{{"axis", int64(1)}}}, x+"/padded", inputs...)
	list := make([]string, n)
	for i := range list {
		list[i] = b.gather(1, x+"/piece", table, b.integer(int64(i)))
	}
	return list
}

// months are the texts 01 … 12.
func months() (texts [][]byte) {
	for m := range 12 {
		texts = append(texts, fmt.Appendf(nil, "%02d", m+1))
	}
	return texts
}

// upTo gives n numbers from first on.
func upTo(n int, first int64) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = first + int64(i)
	}
	return list
}

// dayHours gives what a day with an hour, up to the first ":", looks like, and
// 24·day + hour.
func dayHours() (texts [][]byte, numbers []int64) {
	for day := int64(1); day <= 31; day++ {
		texts, numbers = append(texts, fmt.Appendf(nil, "%02d", day)), append(numbers, 24*day)
		for hour := range int64(24) {
			for _, mark := range " T" {
				texts, numbers = append(texts, fmt.Appendf(nil, "%02d%c%02d", day, mark, hour)), append(numbers, 24*day+hour)
			}
		}
	}
	return texts, numbers
}

// dayOfWeek gives the day of the week, 1 = Sunday, by Sakamoto's rule (1993):
// the days of a year from March on, and of the years before.
func (b *builder) dayOfWeek() string {
	c := b.time()
	year := b.op("Where", "dayofweek/year", c.short, b.op("Add", "dayofweek/year_2000", b.quotient(c.number, 1e6), b.integer(2000)), c.number)
	month := b.part(features.Month)
	early := b.cast(typeInt64, "dayofweek/early", b.op("Less", "dayofweek/before_march", month, b.integer(3)))
	year = b.op("Sub", "dayofweek/year_from_march", year, early)
	shifts := b.constant(array("dayofweek/shifts", []int64{0, 0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4}, 13))
	sum := b.op("Add", "dayofweek/sum", b.part(features.Day), b.gather(0, "dayofweek/shift", shifts, month))
	for _, term := range []struct{ op, x string }{
		{"Add", year}, {"Add", b.quotient(year, 4)}, {"Sub", b.quotient(year, 100)}, {"Add", b.quotient(year, 400)},
	} {
		sum = b.op(term.op, "dayofweek/sum", sum, term.x)
	}
	return b.op("Add", "dayofweek", b.rest(sum, 7), b.integer(1))
}
