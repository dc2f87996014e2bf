import type { ReactNode } from 'react'
import { messageOf } from '@/api/error'
import { Button } from './Button'

type Tone = 'good' | 'bad' | 'warn' | 'quiet'

export function Note({ tone = 'quiet', children }: { tone?: Tone; children: ReactNode }) {
  return (
    <div className={`note ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      {children}
    </div>
  )
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <Note tone="bad">
      <p>{messageOf(error)}</p>
      {retry && <Button onPress={retry}>Try again</Button>}
    </Note>
  )
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  )
}

// Grey bars where text will be, so that nothing moves when it comes.
export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} />
      ))}
    </div>
  )
}

export function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return <span className={`badge ${tone}`}>{children}</span>
}
