// Who the person is to the server. Everything that knows how a request is signed in is here.
import { useSyncExternalStore } from 'react'
import { ofTab } from '@/lib/storage'

// The same script shows the dashboard, the portal (one application, to whoever has its link), the operator's pages and a
// catalogue that is public.
const PLACES = ['dashboard', 'portal', 'operator', 'catalog'] as const
export type Place = (typeof PLACES)[number]
export const place: Place = PLACES.find(name => location.pathname.split('/')[1] === name) ?? 'dashboard'
export const isPortal = place === 'portal'

const STORED = place === 'dashboard' ? 'posthorn.key' : `posthorn.${place}`
const listeners = new Set<() => void>()
let why: string | undefined

// A portal link names its tenant, and has its token behind the #, which browsers send nobody; the token does not stay in the
// address.
export const tenantOfLink = isPortal ? new URLSearchParams(location.search).get('tenant') : null
const fromLink = isPortal && /^#key=([\w.-]+)$/.exec(location.hash)?.[1]
if (fromLink) {
  ofTab.set(STORED, fromLink)
  history.replaceState(null, '', location.pathname + location.search)
}

export const credential = {
  headers(): Record<string, string> {
    const key = ofTab.get(STORED)
    return key ? { authorization: `Bearer ${key}` } : {}
  },
  exists: () => ofTab.get(STORED) !== null,
  accept(key: string) {
    why = undefined
    ofTab.set(STORED, key)
    listeners.forEach(tell => tell())
  },
  // reason: shown where the person signs in again.
  forget(reason?: string) {
    why = reason
    ofTab.remove(STORED)
    listeners.forEach(tell => tell())
  },
  reason: () => why,
}

function subscribe(listener: () => void) {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function useSignedIn() {
  return useSyncExternalStore(subscribe, credential.exists)
}
