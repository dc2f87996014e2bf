// Tells what came of an action, at the lower edge, for some seconds.
import { useSyncExternalStore } from 'react'
import { messageOf } from '@/api/error'
import { IconButton } from './Button'
import { Icon } from './Icon'

interface Toast {
  id: number
  tone: 'good' | 'bad'
  text: string
}

const SHOWN_MS = 6000
let toasts: Toast[] = []
let last = 0
const listeners = new Set<() => void>()

function change(next: Toast[]) {
  toasts = next
  listeners.forEach(tell => tell())
}

function show(tone: Toast['tone'], text: string) {
  const toast = { id: ++last, tone, text }
  change([...toasts.slice(-2), toast])
  if (tone === 'good') setTimeout(() => dismiss(toast.id), SHOWN_MS)
}

function dismiss(id: number) {
  change(toasts.filter(toast => toast.id !== id))
}

export const tell = {
  done: (text: string) => show('good', text),
  failed: (error: unknown) => show('bad', messageOf(error)),
}

export function Toasts() {
  const shown = useSyncExternalStore(
    listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => toasts,
  )
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map(toast => (
        <div key={toast.id} className={`toast ${toast.tone}`}>
          <span>{toast.text}</span>
          <IconButton label="Dismiss" onPress={() => dismiss(toast.id)}>
            <Icon name="close" />
          </IconButton>
        </div>
      ))}
    </div>
  )
}
