import { useSyncExternalStore } from 'react'
import { local, relative, utc } from '@/lib/time'

// One clock for all: ticks each second while somebody shows a relative time. The second that has begun, so that what has just
// happened is not still to come.
const listeners = new Set<() => void>()
const second = () => Math.ceil(Date.now() / 1000)
let now = second()
let timer: ReturnType<typeof setInterval> | undefined

function subscribe(listener: () => void) {
  if (listeners.size === 0) now = second()
  listeners.add(listener)
  timer ??= setInterval(() => {
    now = second()
    listeners.forEach(tell => tell())
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={utc(at)} className="number">
      {local(at)}
    </time>
  )
}

// dueWord: instead of a time that has passed, for what is still to come.
export function Ago({ at, dueWord }: { at: string; dueWord?: string }) {
  const seconds = useSyncExternalStore(subscribe, () => now)
  return (
    <time dateTime={at} title={`${local(at)}\n${utc(at)}`} className="number">
      {dueWord && new Date(at).getTime() <= seconds * 1000 ? dueWord : relative(at, new Date(seconds * 1000))}
    </time>
  )
}
