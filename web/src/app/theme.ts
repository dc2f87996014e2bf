// Light, dark, or as the system says.
import { ofBrowser } from '@/lib/storage'

const STORED = 'posthorn.theme'

export type Theme = 'light' | 'dark'

export function applyTheme() {
  const theme = ofBrowser.get(STORED)
  if (theme) document.documentElement.dataset.theme = theme
  else delete document.documentElement.dataset.theme
}

export function theme(): Theme {
  const chosen = ofBrowser.get(STORED)
  if (chosen === 'light' || chosen === 'dark') return chosen
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}

export function setTheme(next: Theme) {
  ofBrowser.set(STORED, next)
  applyTheme()
}
