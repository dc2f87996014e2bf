import { useState } from 'react'
import { IconButton } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import { setTheme, theme } from './theme'

export function useThemeToggle() {
  const [current, setCurrent] = useState(theme)
  const next = current === 'dark' ? 'light' : 'dark'
  return {
    next,
    label: next === 'dark' ? 'Dark theme' : 'Light theme',
    toggle: () => {
      setTheme(next)
      setCurrent(next)
    },
  } as const
}

export function ThemeToggle() {
  const { next, label, toggle } = useThemeToggle()
  return (
    <IconButton label={label} onPress={toggle}>
      <Icon name={next} />
    </IconButton>
  )
}
