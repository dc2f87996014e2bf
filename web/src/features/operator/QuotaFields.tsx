import { QUOTAS, type QuotaName } from '@/lib/quota'
import type { Schemas } from '@/api/client'
import { TextField } from '@/ui/Field'

const UNITS: Partial<Record<QuotaName, string>> = { payloadBytes: ', in bytes', retentionDays: ', in days' }

export type QuotaTexts = Partial<Record<QuotaName, string>>

export function textsOf(quotas: Schemas['Quotas'] = {}): QuotaTexts {
  return Object.fromEntries(Object.entries(quotas).map(([name, limit]) => [name, String(limit)]))
}

const isWrong = (text: string | undefined) => !/^\d*$/.test(text ?? '')

// Undefined: one of them is no number.
export function quotasOf(texts: QuotaTexts): Schemas['Quotas'] | undefined {
  const given = Object.entries(texts).filter(([, text]) => text !== '')
  return given.some(([, text]) => isWrong(text)) ? undefined : Object.fromEntries(given.map(([name, text]) => [name, Number(text)]))
}

export function QuotaFields({ texts, onChange }: { texts: QuotaTexts; onChange: (texts: QuotaTexts) => void }) {
  return QUOTAS.map(([name, label]) => (
    <TextField
      key={name}
      label={`${label}${UNITS[name] ?? ''}`}
      value={texts[name] ?? ''}
      onChange={text => onChange({ ...texts, [name]: text.trim() })}
      error={isWrong(texts[name]) ? 'A whole number.' : undefined}
      inputMode="numeric"
    />
  ))
}
