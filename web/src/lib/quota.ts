// What a tenant may use, in words.
import { bytes, count } from './bytes'

export const QUOTAS = [
  ['messagesPerDay', 'Messages a day', count],
  ['environments', 'Environments', count],
  ['applications', 'Applications', count],
  ['endpoints', 'Endpoints', count],
  ['payloadBytes', 'Size of a payload', bytes],
  ['retentionDays', 'Payloads are kept', days],
  ['sendsPerSecond', 'Requests that send, a second', count],
  ['writesPerSecond', 'Requests that change, a second', count],
  ['readsPerSecond', 'Requests that read, a second', count],
] as const

export type QuotaName = (typeof QUOTAS)[number][0]

// None of requests a second: 0.
export function isLimit(name: QuotaName, limit: number) {
  return limit > 0 || !name.endsWith('PerSecond')
}

function days(value: number) {
  return value === 1 ? '1 day' : `${count(value)} days`
}
