import { useEffect, type ReactNode } from 'react'
import { Link, useLocation, useSearch } from 'wouter'
import { useAccess } from '@/api/access'
import { tenantOfLink } from '@/api/credential'
import { usePortal } from '@/api/portal'
import { tokensOf } from '@/lib/branding'
import { Badge } from '@/ui/State'
import { TopFrame } from './TopFrame'

// Who may have the page in a frame depends on the tenant, which therefore stays in the address, for when it is loaded again.
function useTenantInAddress() {
  const [location] = useLocation()
  const search = useSearch()
  useEffect(() => {
    const address = new URL(window.location.href)
    if (!tenantOfLink || address.searchParams.has('tenant')) return
    address.searchParams.set('tenant', tenantOfLink)
    history.replaceState(history.state, '', address)
  }, [location, search])
}

export function PortalShell({ children }: { children: ReactNode }) {
  const { isReadOnly, shows } = useAccess()
  const { data } = usePortal()
  const branding = data?.branding ?? undefined
  useTenantInAddress()
  useEffect(() => {
    for (const [name, value] of Object.entries(tokensOf(branding ?? {}))) document.documentElement.style.setProperty(name, value)
  }, [branding])
  return (
    <TopFrame
      title={
        <>
          {branding?.logo && <img src={branding.logo} alt="" className="brand" />}
          {branding?.name ?? 'Webhooks'}
        </>
      }
      note={
        <>
          {isReadOnly && <Badge tone="quiet">Read only</Badge>}
          {data && shows('event-types') && <Link href="/event-type">Event types</Link>}
        </>
      }
    >
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
