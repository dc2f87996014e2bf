import type { ReactNode } from 'react'
import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components/Button'
import { Link } from 'wouter'

type Look = 'plain' | 'primary' | 'danger' | 'quiet'

interface ButtonProps extends Omit<AriaButtonProps, 'className' | 'children'> {
  look?: Look
  children: ReactNode
}

export function Button({ look = 'plain', children, ...props }: ButtonProps) {
  return (
    <AriaButton {...props} className={`button ${look}`}>
      {children}
    </AriaButton>
  )
}

// A link that looks like a button: it leads somewhere, it does nothing.
export function LinkButton({ href, look = 'plain', children }: { href: string; look?: Look; children: ReactNode }) {
  return (
    <Link href={href} className={`button ${look}`}>
      {children}
    </Link>
  )
}

// A button that is only a picture; label says what it does.
export function IconButton({ label, children, ...props }: Omit<ButtonProps, 'look'> & { label: string }) {
  return (
    <AriaButton {...props} aria-label={label} className="button quiet icon-only">
      {children}
    </AriaButton>
  )
}
