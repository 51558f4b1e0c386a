package spark

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"ctr/features"
)

// statement gives the SQL that makes the derived columns, in the dialect of
// Spark 3.2 and later. It says at its end, in a comment, what they are: see
// readSQL.
func statement(list []derived) (string, error) {
	var b strings.Builder
	b.WriteString("SELECT *")
	for i := range list {
		fmt.Fprintf(&b, ", %s AS %s", list[i].sql(), quoted(list[i].Column))
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	// A comment must not hold its end, nor the name that Spark replaces.
	comment := strings.NewReplacer("/", `\u002f`, "__THIS__", `__\u0054HIS__`).Replace(string(text))
	fmt.Fprintf(&b, " FROM __THIS__ /* ctr %s */", comment)
	return b.String(), nil
}

var comment = regexp.MustCompile(`/\* ctr (\[.*\]) \*/$`)

// readSQL reads what a SQLTransformer that ctr export wrote makes. The comment
// alone is read; it counts only if the statement is the one that it stands for.
func readSQL(s *stage) ([]derived, error) {
	text := s.text("statement")
	found := comment.FindStringSubmatch(text)
	if found == nil || s.err != nil {
		return nil, s.fail("SQL of another hand than ctr's: want what it does done before the model, and the model without it")
	}
	var list []derived
	d := json.NewDecoder(bytes.NewReader([]byte(found[1])))
	d.DisallowUnknownFields()
	err := d.Decode(&list)
	for i := range list {
		if d := &list[i]; len(d.From) == 0 || d.Column == "" || d.Name == "" {
			return nil, s.fail("a column of nothing")
		}
	}
	if err == nil {
		var again string
		if again, err = statement(list); err == nil && again != text {
			err = fmt.Errorf("the SQL is not what its comment says")
		}
	}
	if err != nil {
		return nil, s.fail("%w", err)
	}
	return list, nil
}

// quoted gives a column's name in SQL.
func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// literal gives a number in SQL; one without the D would be a decimal.
func literal(x float64) string { return "(" + strconv.FormatFloat(x, 'E', -1, 64) + "D)" }

// textOf gives a column's text, nothing where it is null.
func textOf(column string) string { return "coalesce(cast(" + quoted(column) + " AS STRING), '')" }

// numberOf gives the number that a text is, null where it is none.
func numberOf(text string) string {
	return "(CASE WHEN " + text + " RLIKE '^[-+0-9.eE]+$' THEN try_cast(" + text + " AS DOUBLE) END)"
}

// sql gives the expression of a derived column.
func (d *derived) sql() string {
	switch {
	case d.isNumber():
		return d.numberSQL()
	case d.Empty != "":
		return fmt.Sprintf("coalesce(nullif(%s, ''), '%s')", d.textSQL(), d.Empty)
	}
	return d.textSQL()
}

func (d *derived) textSQL() string {
	x := textOf(d.From[0])
	switch {
	case len(d.From) > 1:
		var parts []string
		for _, c := range d.From {
			if p := d.partOf(c); p != features.Whole {
				parts = append(parts, partSQL(d.Time, p))
			} else {
				parts = append(parts, textOf(c))
			}
		}
		return "concat_ws(char(31), " + strings.Join(parts, ", ") + ")"
	case d.Part != features.Whole:
		return partSQL(d.From[0], d.Part)
	case d.Cap != nil:
		return fmt.Sprintf("CASE WHEN %s > %s THEN '%s' ELSE %s END", numberOf(x), literal(*d.Cap), (&features.Field{Cap: d.Cap}).CapText(), x)
	case d.Cast == features.CastInt:
		return "CASE WHEN " + x + " RLIKE '^[-+]?[0-9]+$' THEN cast(try_cast(" + x + " AS BIGINT) AS STRING) END"
	case d.Cast == features.CastDouble:
		return "cast(" + numberOf(x) + " AS STRING)"
	}
	return x
}

func (d *derived) numberSQL() string {
	x := numberOf(textOf(d.From[0]))
	if d.Cap != nil {
		x = fmt.Sprintf("(CASE WHEN %s > %s THEN %s ELSE %s END)", x, literal(*d.Cap), literal(*d.Cap), x)
	}
	switch d.What {
	case whatRight:
		return "coalesce(" + x + ", cast('NaN' AS DOUBLE))"
	case whatLeft:
		return "coalesce(" + x + ", cast('-Infinity' AS DOUBLE))"
	case whatMissing:
		return "CASE WHEN " + x + " IS NULL THEN 1.0D ELSE 0.0D END"
	default:
		// least and greatest pass over what is null.
		v := fmt.Sprintf("((%s - %s) / %s)", x, literal(d.Mean), literal(d.Scale))
		return fmt.Sprintf("CASE WHEN %s IS NULL THEN 0.0D ELSE greatest(-1E100D, least(1E100D, %s)) END", x, v)
	}
}

// partOf gives the part of the time that a column of a cross stands for.
func (d *derived) partOf(column string) features.Part {
	if d.Time == "" {
		return features.Whole
	}
	return partOf(timed(d.Time), column)
}

// partSQL gives the text of a part of a time, which stands as YYMMDDHH or as
// YYYY-MM-DD[ HH:MM:SS]: digits are cut out of it, so that no session's time
// zone has a say.
func partSQL(column string, part features.Part) string {
	h := textOf(column)
	cut := func(short, long int) string {
		return fmt.Sprintf("cast(cast(CASE WHEN length(%s) = 8 THEN substring(%s, %d, 2) ELSE substring(%s, %d, 2) END AS INT) AS STRING)", h, h, short, h, long)
	}
	switch part {
	case features.HourTime:
		return fmt.Sprintf("CASE WHEN length(%s) = 10 THEN '0' ELSE %s END", h, cut(7, 12))
	case features.Day:
		return cut(5, 9)
	case features.Month:
		return cut(3, 6)
	default:
		return fmt.Sprintf("cast(dayofweek(CASE WHEN length(%s) = 8 THEN to_date(concat('20', substring(%s, 1, 6)), 'yyyyMMdd') ELSE to_date(substring(%s, 1, 10)) END) AS STRING)", h, h, h)
	}
}
