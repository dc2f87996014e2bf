import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react'
import { useAccess } from '@/api/access'
import { credential } from '@/api/credential'
import { useTenant } from '@/api/queries'
import { IconButton } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import { Badge } from '@/ui/State'
import { Frame, type Place } from './Frame'

const Palette = lazy(() => import('./Palette'))

const PLACES: Place[] = [
  ['Overview', '/', 'home'],
  ['Applications', '/app', 'apps'],
  ['Event types', '/event-type', 'tag'],
  ['Live', '/tail', 'live'],
  ['Background tasks', '/task', 'tasks'],
  ['Settings', '/settings', 'settings'],
]

export function Shell({ children }: { children: ReactNode }) {
  const [paletteOpen, setPaletteOpen] = useState(false)
  const tenant = useTenant()
  const { isReadOnly } = useAccess()
  const openPalette = () => setPaletteOpen(true)

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        setPaletteOpen(open => !open)
      }
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])

  return (
    <Frame
      places={PLACES}
      who={
        <p className="tenant">
          <span title="Tenant">{tenant.data?.name ?? ' '}</span> {isReadOnly && <Badge tone="quiet">Read only</Badge>}
        </p>
      }
      above={
        <button type="button" className="palette-opener" onClick={openPalette}>
          <Icon name="search" />
          Go to… <kbd>Ctrl K</kbd>
        </button>
      }
      barAction={
        <IconButton label="Search and commands" onPress={openPalette}>
          <Icon name="search" />
        </IconButton>
      }
      onSignOut={() => credential.forget()}
    >
      {children}
      {paletteOpen && (
        <Suspense>
          <Palette onClose={() => setPaletteOpen(false)} />
        </Suspense>
      )}
    </Frame>
  )
}
