export function Wordmark() {
  return (
    <span className="wordmark">
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M3 10.5v3M7.5 7v10M12 3.5v17M16.5 8v8M21 10.5v3" />
      </svg>
      voiceworker
    </span>
  );
}
