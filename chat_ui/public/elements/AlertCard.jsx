const { AlertCard } = window.homeguardElements(React, require)
export default <AlertCard {...props} act={callAction} ask={sendUserMessage} />
