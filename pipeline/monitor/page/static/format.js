// Numbers and times for people. What is not known is a dash.

export const dash = '–';
const known = (x) => x !== null && x !== undefined && Number.isFinite(x);

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 });

// int gives 1,234,567.
export const int = (x) => (known(x) ? whole.format(x) : dash);

// compact gives 1.23M from ten thousand on: for axes.
export const compact = (x) => (!known(x) ? dash : Math.abs(x) < 10000 ? rate(x) : short.format(x));

// rate gives 12,431, or 3.2 where a whole number would say too little.
export const rate = (x) => (!known(x) ? dash : x > 0 && x < 10 && x % 1 ? x.toFixed(1) : whole.format(x));

// dec gives a number with so many digits behind the point.
export const dec = (x, digits = 4) => (known(x) ? x.toFixed(digits) : dash);

// share gives 17.31 %, with as many digits as tell something.
export function share(x, digits) {
  if (!known(x)) return dash;
  const percent = 100 * x;
  if (digits === undefined && percent > 0 && percent < 0.005) return '<0.01 %';
  if (digits === undefined) digits = percent === 0 || percent >= 99.995 ? 0 : Math.abs(percent) < 10 ? 2 : 1;
  return `${percent.toFixed(digits)} %`;
}

// span gives a time in the unit that suits it: 0.42 ms, 31 ms, 2.3 s, 5 min.
export function span(s) {
  if (!known(s)) return dash;
  if (s < 0.0001) return `${(s * 1e6).toFixed(0)} µs`;
  if (s < 1) return `${three(s * 1000)} ms`;
  if (s < 120) return `${three(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return `${Math.floor(s / 3600)} h`;
}

const three = (x) => (x < 10 ? x.toFixed(2) : x < 100 ? x.toFixed(1) : x.toFixed(0));

// age gives how long something has been going: 12 s, 5 min 3 s, 3 h 12 min, 4 d 2 h.
export function age(s) {
  if (!known(s)) return dash;
  s = Math.max(0, Math.floor(s));
  const pair = (big, bigUnit, small, smallUnit) => (small ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`);
  if (s < 60) return `${s} s`;
  if (s < 3600) return pair(Math.floor(s / 60), 'min', s % 60, 's');
  if (s < 86400) return pair(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min');
  return pair(Math.floor(s / 86400), 'd', Math.floor((s % 86400) / 3600), 'h');
}

const pad = (n) => String(n).padStart(2, '0');

// clock gives the local time of day, 12:31:04, of a Date or its text.
export function clock(t, withSeconds = true) {
  const d = new Date(t);
  if (Number.isNaN(d.getTime())) return dash;
  return `${pad(d.getHours())}:${pad(d.getMinutes())}${withSeconds ? `:${pad(d.getSeconds())}` : ''}`;
}

// signed gives +0.42 or −0.42.
export const signed = (x, digits = 3) => (!known(x) ? dash : `${x < 0 ? '−' : '+'}${Math.abs(x).toFixed(digits)}`);

// cut shortens a text in the middle, so that both its ends can be told.
export const cut = (s, n) => (s.length > n ? `${s.slice(0, Math.ceil(n / 2) - 1)}…${s.slice(-Math.floor(n / 2))}` : s);

// plural gives "1 row" or "2 rows".
export const plural = (n, noun) => `${int(n)} ${noun}${n === 1 ? '' : 's'}`;
