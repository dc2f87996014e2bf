// What became of a delivery or an attempt, in words and tones.

export type Tone = 'good' | 'bad' | 'warn' | 'quiet'

const KNOWN: Record<string, [text: string, tone: Tone]> = {
  success: ['Delivered', 'good'],
  pending: ['Waiting', 'warn'],
  fail: ['Failed', 'bad'],
  sending: ['Retrying', 'warn'],
  canceled: ['Cancelled', 'quiet'],
  skipped: ['Skipped', 'quiet'],
}

export function statusOf(text: string): [text: string, tone: Tone] {
  return KNOWN[text] ?? [text, 'quiet']
}

// For filters: the wire's number and our word.
export const STATUSES = [
  ['', 'Any outcome'],
  ['0', 'Delivered'],
  ['2', 'Failed'],
  ['1', 'Waiting'],
  ['3', 'Retrying'],
] as const

interface Health {
  disabled: boolean
  disabledReason?: string | null
  paused?: boolean
  failingSince?: string | null
}

const FAILING_MS = 60_000 // a single failure that is made good at once is no news

export function isFailing(endpoint: Health, now = Date.now()) {
  return Boolean(endpoint.failingSince) && now - new Date(endpoint.failingSince!).getTime() > FAILING_MS
}

export function healthOf(endpoint: Health, now = Date.now()): [text: string, tone: Tone] {
  if (endpoint.disabled) return ['Disabled', 'quiet']
  if (endpoint.paused) return ['Paused', 'warn']
  if (isFailing(endpoint, now)) return ['Failing', 'bad']
  return ['Active', 'good']
}
