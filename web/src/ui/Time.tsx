import { useSyncExternalStore } from 'react'
import { local, relative, utc } from '@/lib/time'

// One clock for all: ticks each second while somebody shows a relative time.
const listeners = new Set<() => void>()
let now = Math.floor(Date.now() / 1000)
let timer: ReturnType<typeof setInterval> | undefined

function subscribe(listener: () => void) {
  listeners.add(listener)
  timer ??= setInterval(() => {
    now = Math.floor(Date.now() / 1000)
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
