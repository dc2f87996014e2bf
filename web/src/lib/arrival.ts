// What a request to a test inbox tells.
import type { Tone } from './status'

const VERDICTS: Record<string, [text: string, tone: Tone]> = {
  valid: ['Signature right', 'good'],
  invalid: ['Signature wrong', 'bad'],
  none: ['Not signed', 'quiet'],
}

export const verdictOf = (signature: string) => VERDICTS[signature] ?? ([signature, 'quiet'] as [string, Tone])

// Of the message that was delivered, whatever the prefix of its headers.
export const messageIdOf = (headers: string[][]) =>
  headers.find(([name, value]) => name!.endsWith('-id') && /^msg_[0-9A-Za-z]{22}$/.test(value!))?.[1]
