// A form that stands alone on the page, before the person is signed in.
import { useState, type FormEvent, type ReactNode } from 'react'
import { messageOf } from '@/api/error'
import { Button } from '@/ui/Button'
import { Logo } from '@/ui/Logo'
import { Note } from '@/ui/State'

interface EntryFormProps {
  title: string
  reason?: string | undefined // why it is shown
  action: string // on the button
  run: () => Promise<void>
  explain?: (error: unknown) => string
  disabled?: boolean
  children?: ReactNode
  below?: ReactNode
}

export function EntryForm({ title, reason, action, run, explain = messageOf, disabled, children, below }: EntryFormProps) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string>()

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (busy || disabled) return
    setBusy(true)
    setError(undefined)
    try {
      await run()
    } catch (cause) {
      setError(explain(cause))
    }
    setBusy(false)
  }

  return (
    <main className="sign-in">
      <form onSubmit={submit} className="stack">
        <Logo />
        <h1>{title}</h1>
        {reason && <Note tone="warn">{reason}</Note>}
        {children}
        {error && <Note tone="bad">{error}</Note>}
        <Button type="submit" look="primary" isDisabled={busy || disabled}>
          {busy ? 'One moment…' : action}
        </Button>
        {below}
      </form>
    </main>
  )
}

// Instead of a form: what came of one.
export function EntryNote({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="sign-in">
      <div className="entry stack">
        <Logo />
        <h1>{title}</h1>
        {children}
      </div>
    </main>
  )
}
