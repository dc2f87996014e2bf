// Times as people read them: in the viewer's zone, with UTC at hand.

const sameYear = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
})
const otherYear = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hour12: false,
})

export function local(time: string | Date, now = new Date()) {
  const date = new Date(time)
  return (date.getFullYear() === now.getFullYear() ? sameYear : otherYear).format(date)
}

export function utc(time: string | Date) {
  return new Date(time).toISOString().replace('T', ' ').replace('Z', ' UTC')
}

const UNITS: [number, string][] = [
  [86400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
]

// "2 h", "36 s"; the largest unit that fits, rounded down.
export function span(seconds: number) {
  const whole = Math.max(0, Math.floor(seconds))
  const [size, unit] = UNITS.find(([size]) => whole >= size) ?? UNITS[UNITS.length - 1]!
  return `${Math.floor(whole / size)} ${unit}`
}

// "5 min ago", "in 2 h", "now"
export function relative(time: string | Date, now = new Date()) {
  const seconds = (new Date(time).getTime() - now.getTime()) / 1000
  if (Math.abs(seconds) < 1) return 'now'
  return seconds < 0 ? `${span(-seconds)} ago` : `in ${span(seconds)}`
}

// For <input type="datetime-local">, which has no zone: the viewer's.
export function toField(date: Date) {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000)
  return shifted.toISOString().slice(0, 16)
}

export function fromField(value: string) {
  const date = new Date(value)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}

// Seconds and words: "5 s, 5 min, 2 h".
export function schedule(seconds: number[]) {
  return seconds.map(one => exact(one)).join(', ')
}

function exact(seconds: number) {
  const found = UNITS.find(([size]) => seconds >= size && seconds % size === 0)
  return found ? `${seconds / found[0]} ${found[1]}` : `${seconds} s`
}

// "5s, 5 min, 2h, 90" to seconds; the word that is wrong otherwise.
export function parseSchedule(text: string): { seconds: number[] } | { wrong: string } {
  const seconds: number[] = []
  for (const word of text
    .split(',')
    .map(part => part.trim())
    .filter(Boolean)) {
    const match = /^(\d+)\s*(s|sec|m|min|h|d)?$/.exec(word)
    if (!match) return { wrong: word }
    const unit = { s: 1, sec: 1, m: 60, min: 60, h: 3600, d: 86400 }[match[2] ?? 's']!
    seconds.push(Number(match[1]) * unit)
  }
  return { seconds }
}
