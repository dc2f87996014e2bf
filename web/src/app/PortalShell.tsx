import type { ReactNode } from 'react'
import { useAccess } from '@/api/access'
import { Badge } from '@/ui/State'
import { TopFrame } from './TopFrame'

export function PortalShell({ children }: { children: ReactNode }) {
  const { isReadOnly } = useAccess()
  return (
    <TopFrame title="Webhooks" note={isReadOnly && <Badge tone="quiet">Read only</Badge>}>
      {children}
    </TopFrame>
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
