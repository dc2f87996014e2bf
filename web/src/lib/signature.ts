// The ways of signing that receivers know, and what they are called.

export const PROFILES = [
  ['standard', 'Standard Webhooks'],
  ['stripe', 'Stripe-Signature'],
  ['github', 'X-Hub-Signature-256 (GitHub)'],
  ['shopify', 'X-Shopify-Hmac-Sha256'],
  ['slack', 'X-Slack-Signature'],
  ['hmac-hex', 'Plain HMAC, hex'],
  ['hmac-base64', 'Plain HMAC, base64'],
] as const

export type Profile = (typeof PROFILES)[number][0]

export const isPlain = (profile: Profile | null) => profile === 'hmac-hex' || profile === 'hmac-base64'
