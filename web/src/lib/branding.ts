// A tenant's colours instead of ours, as values of the tokens.

interface Colours {
  accentLight?: string | null
  accentDark?: string | null
}

export const OURS = { light: '#2456c7', dark: '#8fb2ff' }

export function tokensOf({ accentLight, accentDark }: Colours): Record<string, string> {
  if (!accentLight && !accentDark) return {}
  // What is behind white text is the colour for the white page in both themes: its contrast with white is known.
  const fill = accentLight ?? OURS.light
  return {
    '--accent': `light-dark(${fill}, ${accentDark ?? OURS.dark})`,
    '--accent-fill': fill,
    '--accent-fill-hover': `color-mix(in srgb, ${fill} 85%, black)`,
  }
}
