import { useState, type ReactNode } from 'react'
import { useAccess } from '@/api/access'
import { IconButton } from '@/ui/Button'
import { Icon } from '@/ui/Icon'
import { Badge } from '@/ui/State'
import { setTheme, theme } from './theme'

export function PortalShell({ children }: { children: ReactNode }) {
  const { isReadOnly } = useAccess()
  const [current, setCurrent] = useState(theme)
  const next = current === 'dark' ? 'light' : 'dark'
  return (
    <div className="portal">
      <a href="#content" className="skip">
        Skip to the content
      </a>
      <header className="portal-bar">
        <strong className="grow">Webhooks</strong>
        {isReadOnly && <Badge tone="quiet">Read only</Badge>}
        <IconButton
          label={next === 'dark' ? 'Dark theme' : 'Light theme'}
          onPress={() => {
            setTheme(next)
            setCurrent(next)
          }}
        >
          <Icon name={next} />
        </IconButton>
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  )
}

export function PortalEnd() {
  return (
    <main className="sign-in">
      <div className="empty">
        <h1>This link has ended</h1>
        <p>Open the webhook settings again where you found it.</p>
      </div>
    </main>
  )
}
