// What stands around pages that are few: a bar above them.
import type { ReactNode } from 'react'
import { ThemeToggle } from './ThemeToggle'

export function TopFrame({ title, note, children }: { title: ReactNode; note?: ReactNode; children: ReactNode }) {
  return (
    <div className="portal">
      <a href="#content" className="skip">
        Skip to the content
      </a>
      <header className="portal-bar">
        <strong className="grow">{title}</strong>
        {note}
        <ThemeToggle />
      </header>
      <main id="content" tabIndex={-1}>
        {children}
      </main>
    </div>
  )
}
