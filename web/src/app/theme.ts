// Light, dark, or as the system says.
const STORED = 'posthorn.theme'

export type Theme = 'light' | 'dark'

export function applyTheme() {
  const theme = localStorage.getItem(STORED)
  if (theme) document.documentElement.dataset.theme = theme
  else delete document.documentElement.dataset.theme
}

export function theme(): Theme {
  const chosen = localStorage.getItem(STORED)
  if (chosen === 'light' || chosen === 'dark') return chosen
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}

export function setTheme(next: Theme) {
  localStorage.setItem(STORED, next)
  applyTheme()
}
