// Who the person is to the server. Everything that knows how a request is signed in is here.
import { useSyncExternalStore } from 'react'

// A portal shows one application to whoever has its link.
export const isPortal = /^\/portal(\/|$)/.test(location.pathname)

const STORED = isPortal ? 'posthorn.portal' : 'posthorn.key'
const listeners = new Set<() => void>()
let why: string | undefined

// A portal link has its token behind the #, which browsers send nobody; it does not stay in the address.
const fromLink = isPortal && /^#key=([\w.-]+)$/.exec(location.hash)?.[1]
if (fromLink) {
  sessionStorage.setItem(STORED, fromLink)
  history.replaceState(null, '', location.pathname)
}

export const credential = {
  headers(): Record<string, string> {
    const key = sessionStorage.getItem(STORED)
    return key ? { authorization: `Bearer ${key}` } : {}
  },
  exists: () => sessionStorage.getItem(STORED) !== null,
  accept(key: string) {
    why = undefined
    sessionStorage.setItem(STORED, key)
    listeners.forEach(tell => tell())
  },
  // reason: shown where the person signs in again.
  forget(reason?: string) {
    why = reason
    sessionStorage.removeItem(STORED)
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
