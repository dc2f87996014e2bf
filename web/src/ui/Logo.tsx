export function Logo() {
  return (
    <span className="logo">
      <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
        <rect width="32" height="32" rx="7" />
        <path d="M8 12.500a6 6 0 1 1 6 6h-1.500M8 12.500v11M17 18.500h3.500l5-4v11l-5-4" />
      </svg>
      Posthorn
    </span>
  )
}
