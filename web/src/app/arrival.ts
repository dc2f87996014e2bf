// After going to another page it is shown from its top, and the keyboard goes on in its content. The way back is the browser's.
import { useEffect, useRef } from 'react'

let wentBack = false
addEventListener('popstate', () => {
  wentBack = true
})

export function useArrival(location: string) {
  const before = useRef(location)
  useEffect(() => {
    if (before.current === location) return
    before.current = location
    if (!wentBack) window.scrollTo(0, 0)
    wentBack = false
    if (document.activeElement === document.body) document.getElementById('content')?.focus({ preventScroll: true })
  }, [location])
}
