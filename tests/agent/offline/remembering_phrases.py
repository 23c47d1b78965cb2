"""Ways to say the same, written before the rules that they test: what is said, the tool, and what it must be told."""

from typing import Any, Final

#: sentence -> words that the kept text must have.
REMEMBER: Final = {
    "Remember that my sister Ana has a key": "Ana has a key",
    "remember my sister Ana has a key": "Ana has a key",
    "Please remember that the spare key is under the blue pot.": "spare key is under the blue pot",
    "Can you remember that I work nights on Thursdays?": "I work nights on Thursdays",
    "Could you please remember the plumber comes on Friday": "plumber comes on Friday",
    "I want you to remember that Tom is allergic to peanuts": "Tom is allergic to peanuts",
    "Don't forget that the gardener comes on Mondays": "gardener comes on Mondays",
    "Keep in mind that grandma is visiting in June": "grandma is visiting in June",
    "Make a note that the boiler was serviced in March": "boiler was serviced in March",
    "Note that the back gate sticks when it rains": "back gate sticks when it rains",
    "Take a note: the wifi box is in the cellar": "wifi box is in the cellar",
    "Save this: my car needs new tyres": "my car needs new tyres",
    "For future reference, I like the bedroom cool at night": "I like the bedroom cool at night",
    "You should know that the cleaner has her own key": "cleaner has her own key",
    "Just so you know, the window in the attic doesn't close": "window in the attic doesn't close",
    "FYI the neighbours are away until August": "neighbours are away until August",
    "hey homeguard, remember that Leo's birthday is on May 4th": "Leo's birthday is on May 4th",
    "Store the fact that our meter number is 55812": "our meter number is 55812",
    "Memorize that the alarm company is called Securo": "alarm company is called Securo",
    "Bear in mind that I'm deaf in one ear": "I'm deaf in one ear",
}
#: sentence -> (name, word of the species or "")
PETS: Final = {
    "We have a dog called Biscuit": ("Biscuit", "dog"),
    "we've got a cat named Mia": ("Mia", "cat"),
    "I have a dog, her name is Luna": ("Luna", "dog"),
    "Our dog is called Rex": ("Rex", "dog"),
    "My cat's name is Felix": ("Felix", "cat"),
    "There's a parrot called Polly living here": ("Polly", "parrot"),
    "Add a dog called Bruno to the household": ("Bruno", "dog"),
    "We just got a puppy named Coco!": ("Coco", "puppy"),
    "Remember that we have a dog called Max": ("Max", "dog"),
    "our hamster's name is Peanut": ("Peanut", "hamster"),
    "I own a tortoise called Speedy": ("Speedy", "tortoise"),
    "Please note that we have a cat called Tiger": ("Tiger", "cat"),
    "We adopted a kitten, she is called Nala": ("Nala", "kitten"),
    "the name of our dog is Charlie": ("Charlie", "dog"),
    "Add our cat Simba to the pets": ("Simba", "cat"),
    "We have a pet rabbit named Bunny": ("Bunny", "rabbit"),
    "Meet our new dog, Oscar": ("Oscar", "dog"),
    "I've got a dog. He's called Buddy": ("Buddy", "dog"),
    "We have a German shepherd called Kaiser": ("Kaiser", "shepherd"),
    "There is a cat in this house named Whiskers": ("Whiskers", "cat"),
}
#: sentence -> (what the name or relation must have, the number)
NUMBERS: Final = {
    "My mother's number is 555 0199": ("mother", "555 0199"),
    "my mom's phone number is +49 170 1234567": ("mom", "+49 170 1234567"),
    "The number of my brother Tom is 555-0142": ("tom", "555-0142"),
    "Ana's number is 0171 555 01": ("ana", "0171 555 01"),
    "You can reach my dad at 555 0101": ("dad", "555 0101"),
    "Call my neighbour Mrs. Lee on 555 0188 in an emergency": ("lee", "555 0188"),
    "My emergency contact is Rosa, 555 0177": ("rosa", "555 0177"),
    "Add Ben as an emergency contact, his number is 555 0133": ("ben", "555 0133"),
    "Remember that the plumber's number is 555 0111": ("plumber", "555 0111"),
    "Save my sister's number: 555 0122": ("sister", "555 0122"),
    "Add a contact: Ida Berg, 555 0155": ("ida berg", "555 0155"),
    "our doctor's phone number is 555-7788": ("doctor", "555-7788"),
    "The phone number for my wife is 555 0166": ("wife", "555 0166"),
    "my husband can be reached on 555 0167": ("husband", "555 0167"),
    "Please save Tom's mobile number, it's 555 0168": ("tom", "555 0168"),
    "grandma's telephone is 555 0169": ("grandma", "555 0169"),
    "Here is my son's number: 555 0170": ("son", "555 0170"),
    "Put my neighbor Sam in the contacts with 555 0171": ("sam", "555 0171"),
    "the vet's number is (555) 0172": ("vet", "(555) 0172"),
    "Trusted contact: Ana, 555 0173": ("ana", "555 0173"),
}
#: sentence -> (from, to)
QUIET: Final = {
    "Quiet hours are from 22 to 7": ("22:00", "07:00"),
    "quiet hours are 10pm to 6am": ("22:00", "06:00"),
    "Set quiet hours from 23:00 to 06:30": ("23:00", "06:30"),
    "Set the quiet hours to 9 pm until 7 am": ("21:00", "07:00"),
    "Our quiet hours run from 10 in the evening to 7 in the morning": ("22:00", "07:00"),
    "Please make quiet hours between 22:30 and 07:15": ("22:30", "07:15"),
    "We want quiet hours from 11 pm till 8 am": ("23:00", "08:00"),
    "quiet time is from 21:00 to 06:00": ("21:00", "06:00"),
    "Remember that quiet hours are from 22 to 6": ("22:00", "06:00"),
    "Change the quiet hours to 20:00-06:00": ("20:00", "06:00"),
    "don't disturb us between 10 pm and 7 am": ("22:00", "07:00"),
    "Do not disturb hours are from 23 to 7": ("23:00", "07:00"),
    "Quiet hours start at 10 pm and end at 6 am": ("22:00", "06:00"),
    "Quiet hours: 22:00 to 07:00": ("22:00", "07:00"),
    "I'd like quiet hours from midnight to 8": ("00:00", "08:00"),
    "quiet hours begin at 21:30 and end at 6:30": ("21:30", "06:30"),
    "no noise from 10pm to 7am please": ("22:00", "07:00"),
    "The quiet hours here are from 22 o'clock to 8 o'clock": ("22:00", "08:00"),
    "night quiet is from 22 till 6": ("22:00", "06:00"),
    "please set our quiet hours: 11pm - 7am": ("23:00", "07:00"),
}
#: Said right after "Remember that my sister Ana has a key".
FORGET_THAT: Final = (
    "Forget that", "forget that please", "Please forget that again", "Forget what I just said",
    "Forget what I just told you", "Forget about that", "Delete that note", "Don't remember that",
    "Actually, forget that", "You can forget that", "Remove that from your memory", "Erase that",
    "Scratch that, forget it again", "please delete what I just told you", "Forget the last thing I told you",
    "Forget the last note", "Stop remembering that", "Never mind, forget that", "No wait, forget what I said",
    "Unremember that",
)  # fmt: skip
#: sentence -> a word of what is to be forgotten
FORGET_ABOUT: Final = {
    "Forget what I said about Ana": "ana",
    "forget what I told you about Ana": "ana",
    "Forget about the spare key": "key",
    "Forget that Ana has a key": "ana",
    "Forget everything about Ana": "ana",
    "Please forget everything I told you about my sister": "sister",
    "Delete what you know about Ana": "ana",
    "Delete the note about the plumber": "plumber",
    "Remove the note about the boiler": "boiler",
    "Erase what you remember about Tom": "tom",
    "Don't remember anything about Tom any more": "tom",
    "You can forget what I said about the gardener": "gardener",
    "Can you forget about my car?": "car",
    "Drop the note about the tyres": "tyres",
    "Clear what I said about the neighbours": "neighbours",
    "Stop remembering that Ana has a key": "ana",
    "Forget my sister's key": "sister",
    "I want you to forget what I said about the wifi box": "wifi",
    "Remove what you saved about grandma": "grandma",
    "Forget the thing about the cleaner": "cleaner",
}
ABOUT_ME: Final = (
    "What do you know about me?", "what do you know about me", "What do you remember about me?",
    "What have you remembered?", "What did I ask you to remember?", "Tell me what you know about me",
    "Tell me everything you know about me", "What have I told you?", "Show me my notes", "What do you have on me?",
    "What have you saved about me?", "List what you remember", "What information do you have about me?",
    "Do you remember anything about me?", "What's in your memory?", "Show what you have stored about me",
    "What things do you remember?", "what notes do you have", "Read me my notes", "What data do you keep about me?",
)  # fmt: skip
HOUSEHOLD: Final = (
    "Who is in my household?", "who's in our household", "Who lives here?", "Who lives in this house?",
    "Tell me who lives here", "Who are the members of my household?", "List the people in my household",
    "Show me my household", "What is our household?", "Who belongs to this household?", "Who do you know lives here?",
    "Which people live here?", "How many people live here?", "What do you know about our household?",
    "Tell me about my household", "who all lives in our home", "Who are the residents?", "List the residents",
    "Who is part of the household?", "show the household",
)  # fmt: skip
HAVE_PETS: Final = (
    "Do we have pets?", "do we have any pets", "Do I have a pet?", "What pets do we have?", "Which pets are there?",
    "What's our dog's name?", "What is my dog called?", "What is the name of our cat?", "Do we have a dog?",
    "Have we got a cat?", "How many pets do we have?", "Are there any animals in the house?", "List our pets",
    "Tell me about our pets", "What kind of pet do we have?", "Is there a dog in this household?",
    "What are our pets called?", "Who is our dog?", "Do you know my pets?", "what animals do we have",
)  # fmt: skip

#: What is none of these and stays what it was.
OTHERS: Final = (
    "Remember to turn off the lights at 10 pm", "remind me to call mum", "forget it", "never mind",
    "Do we have any lights on?", "who is home?", "What do you know about the front door?", "is the dog door closed?",
    "turn on the cat lamp", "what did I say?", "don't forget to lock the front door", "Note the temperature",
    "How many lights do we have?", "is anyone home", "turn off everything", "don't forget to turn off the lights",
    "What happened last night?", "lock the doors and remember to arm the alarm",
)  # fmt: skip

Case = tuple[str, str, Any]
